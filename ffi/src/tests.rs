//! The functions of the header called from Rust, where Rust's own sanitizers see both sides.

use std::ffi::{CStr, CString, c_char, c_void};
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use crate::bytes::{rpcx_buffer, rpcx_slice};
use crate::client::*;
use crate::completion::rpcx_completion;
use crate::config::*;
use crate::error::*;
use crate::handler::rpcx_handler;
use crate::method::*;
use crate::queue::*;
use crate::reply::*;
use crate::request::*;
use crate::server::*;

const LIMIT: Duration = Duration::from_secs(10);

/// Frees an error and returns its kind and text.
fn told(error: *mut rpcx_error) -> Option<(u32, String)> {
    if error.is_null() {
        return None;
    }
    // SAFETY: an error of the library's that nobody has freed.
    unsafe {
        let text = CStr::from_ptr(rpcx_error_message(error)).to_str().unwrap().to_owned();
        let kind = rpcx_error_kind(error);
        rpcx_error_free(error);
        Some((kind, text))
    }
}

fn ok(error: *mut rpcx_error) {
    assert_eq!(told(error), None);
}

fn text(slice: rpcx_slice) -> String {
    // SAFETY: a slice of the library's, whose object lives.
    String::from_utf8(unsafe { crate::arg::slice(slice, "slice") }.unwrap().to_vec()).unwrap()
}

extern "C" fn echo(_: *mut c_void, request: *mut rpcx_request) {
    // SAFETY: the request is ours, and is answered once.
    ok(unsafe { rpcx_request_answer(request, rpcx_request_payload(request)) });
}

/// Sends the request to the thread of the test.
unsafe extern "C" fn hand_over(user_data: *mut c_void, request: *mut rpcx_request) {
    // SAFETY: the server was given a sender, which lives as long as the handler.
    unsafe { &*user_data.cast::<Sender<usize>>() }.send(request as usize).unwrap();
}

unsafe extern "C" fn drop_sender(user_data: *mut c_void) {
    // SAFETY: it was leaked for the handler, which is gone.
    drop(unsafe { Box::from_raw(user_data.cast::<Sender<usize>>()) });
}

/// A server, and a client of it.
struct Pair {
    server: *mut rpcx_server,
    client: *mut rpcx_client,
    requests: Receiver<usize>,
}

impl Pair {
    fn new() -> Pair {
        let (sender, requests) = channel::<usize>();
        let mut pair = Pair { server: ptr::null_mut(), client: ptr::null_mut(), requests };
        let echo = rpcx_handler {
            struct_size: size_of::<rpcx_handler>(),
            handle: Some(echo),
            drop_user_data: None,
            user_data: ptr::null_mut(),
        };
        let keep = rpcx_handler {
            handle: Some(hand_over),
            drop_user_data: Some(drop_sender),
            user_data: Box::into_raw(Box::new(sender)).cast(),
            ..echo
        };
        // SAFETY: every pointer is NULL where that is allowed, or to something that lives.
        unsafe {
            let mut config = ptr::null_mut();
            ok(rpcx_config_new(RPCX_SCOPE_CLIENT, &mut config));
            ok(rpcx_config_set(config, c"serialize_type".as_ptr(), c"raw".as_ptr()));
            ok(rpcx_server_new(ptr::null(), &mut pair.server));
            ok(rpcx_server_listen(pair.server, c"tcp@127.0.0.1:0".as_ptr()));
            ok(rpcx_server_add_method(pair.server, c"Test".as_ptr(), c"Echo".as_ptr(), &echo, 0));
            ok(rpcx_server_add_method(pair.server, c"Test".as_ptr(), c"Keep".as_ptr(), &keep, 0));
            ok(rpcx_server_start_wait(pair.server));
            ok(rpcx_client_open(rpcx_server_address(pair.server, 0), config, &mut pair.client));
            rpcx_config_free(config);
        }
        pair
    }

    fn method(&self, name: &CStr) -> *mut rpcx_method {
        let mut method = ptr::null_mut();
        // SAFETY: the client lives.
        ok(unsafe { rpcx_client_method(self.client, c"Test".as_ptr(), name.as_ptr(), &mut method) });
        method
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        // SAFETY: both are ours, and not used afterwards.
        unsafe {
            rpcx_client_free(self.client);
            rpcx_server_free(self.server);
        }
    }
}

/// What a completion was told.
struct Told {
    done: Sender<(usize, usize)>,
    dropped: AtomicUsize,
}

unsafe extern "C" fn tell(user_data: *mut c_void, reply: *mut rpcx_reply, error: *mut rpcx_error) {
    // SAFETY: the test keeps it until `dropped` is counted.
    unsafe { &*user_data.cast::<Told>() }.done.send((reply as usize, error as usize)).unwrap();
}

unsafe extern "C" fn count_drop(user_data: *mut c_void) {
    // SAFETY: as above.
    unsafe { &*user_data.cast::<Told>() }.dropped.fetch_add(1, Ordering::AcqRel);
}

#[test]
fn a_callback_is_told_once_and_then_dropped() {
    let pair = Pair::new();
    let method = pair.method(c"Keep");
    let (done, outcomes) = channel();
    let told = Told { done, dropped: AtomicUsize::new(0) };
    let completion = rpcx_completion {
        struct_size: size_of::<rpcx_completion>(),
        done: Some(tell),
        drop_user_data: Some(count_drop),
        user_data: ptr::from_ref(&told).cast_mut().cast(),
    };
    // SAFETY: all that is passed lives until the test ends.
    unsafe {
        ok(rpcx_method_call(method, "question".into(), ptr::null(), &completion, ptr::null_mut()));
        let request = requests(&pair);
        assert_eq!(text(rpcx_request_payload(request)), "question");
        ok(rpcx_request_answer(request, "answer".into()));
        let (reply, error) = outcomes.recv_timeout(LIMIT).unwrap();
        assert_eq!((text(rpcx_reply_payload(reply as *const rpcx_reply)), error), ("answer".to_owned(), 0));
        rpcx_reply_free(reply as *mut rpcx_reply);
        let until = Instant::now() + LIMIT;
        while told.dropped.load(Ordering::Acquire) == 0 && Instant::now() < until {
            std::thread::yield_now();
        }
        assert_eq!(told.dropped.load(Ordering::Acquire), 1);
        rpcx_method_free(method);
    }
}

fn requests(pair: &Pair) -> *mut rpcx_request {
    pair.requests.recv_timeout(LIMIT).unwrap() as *mut rpcx_request
}

#[test]
fn a_queue_hands_out_what_came_and_frees_the_rest() {
    let pair = Pair::new();
    let method = pair.method(c"Echo");
    let (mut queue, mut count) = (ptr::null_mut(), 0);
    let mut events: [std::mem::MaybeUninit<rpcx_event>; 2] = [const { std::mem::MaybeUninit::uninit() }; 2];
    // SAFETY: all that is passed lives; events are read as far as they were written.
    unsafe {
        ok(rpcx_queue_new(0, &mut queue));
        for tag in 0..5 {
            ok(rpcx_method_call_queue(method, "x".into(), ptr::null(), queue, tag, ptr::null_mut()));
        }
        ok(rpcx_queue_wait(queue, events.as_mut_ptr().cast(), size_of::<rpcx_event>(), 2, 10_000, &mut count));
        assert!(count == 1 || count == 2);
        for event in &events[..count] {
            let event = event.assume_init_ref();
            assert_eq!((event.kind, event.struct_size), (RPCX_EVENT_REPLY, size_of::<rpcx_event>()));
            assert_eq!(text(rpcx_reply_payload(event.reply)), "x");
            rpcx_reply_free(event.reply);
        }
        rpcx_queue_free(queue);
        rpcx_method_free(method);
    }
}

extern "C" fn count_release(user_data: *mut c_void) {
    // SAFETY: the test's counter lives until all are released.
    unsafe { &*user_data.cast::<AtomicUsize>() }.fetch_add(1, Ordering::AcqRel);
}

#[test]
fn a_buffer_is_released_whether_the_call_is_made_or_not() {
    let pair = Pair::new();
    let method = pair.method(c"Echo");
    let (bytes, released) = (vec![7; 100_000], AtomicUsize::new(0));
    let buffer = rpcx_buffer {
        struct_size: size_of::<rpcx_buffer>(),
        data: bytes.as_ptr(),
        len: bytes.len(),
        release: Some(count_release),
        user_data: ptr::from_ref(&released).cast_mut().cast(),
    };
    let mut reply = ptr::null_mut();
    // SAFETY: options of zeroes are the defaults; all that is passed lives.
    unsafe {
        let mut options: rpcx_call_options = std::mem::zeroed();
        options.struct_size = size_of::<rpcx_call_options>();
        options.buffer = &buffer;
        ok(rpcx_method_call_wait(method, rpcx_slice::EMPTY, &options, &mut reply));
        assert_eq!(crate::arg::slice(rpcx_reply_payload(reply), "reply").unwrap(), bytes);
        rpcx_reply_free(reply);
        let (kind, message) =
            told(rpcx_method_call_wait(ptr::null(), rpcx_slice::EMPTY, &options, &mut reply)).unwrap();
        assert_eq!(kind, RPCX_ERROR_CONFIG);
        assert!(message.contains("`method`"), "{message}");
        let until = Instant::now() + LIMIT;
        while released.load(Ordering::Acquire) < 2 && Instant::now() < until {
            std::thread::yield_now();
        }
        assert_eq!(released.load(Ordering::Acquire), 2);
        rpcx_method_free(method);
    }
}

#[test]
fn a_panic_inside_is_an_error_outside() {
    let (kind, message) = told(crate::guard::guard(|| panic!("on purpose"))).unwrap();
    assert_eq!(kind, RPCX_ERROR_INTERNAL);
    assert!(message.contains("on purpose"), "{message}");
    assert_eq!(crate::guard::or(7, || panic!("on purpose")), 7);
}

#[test]
fn text_with_a_nul_inside_ends_there() {
    let made: CString = crate::bytes::c_text("one\0two");
    assert_eq!(made.as_c_str(), c"one");
    let none: *const c_char = ptr::null();
    // SAFETY: NULL is an argument to be refused.
    let (kind, message) = told(unsafe { rpcx_error_new(none, "text".into()) }).unwrap();
    assert_eq!((kind, message.contains("`reason`")), (RPCX_ERROR_CONFIG, true));
}
