//! Properties over random input: what holds for every frame, every splitting and every order of operations.

mod common;

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use common::{decode_pieces, random_sizes};
use proptest::prelude::*;
use rpcx_protocol::{
    Action, CompressType, Decoded, Decoder, GaveUp, Head, Header, Heartbeat, HeartbeatConfig, Limits, Metadata,
    Pending, SerializeType, Status, Wheel, encode,
};

#[derive(Clone, Debug)]
struct AnyFrame {
    header: Header,
    service: Vec<u8>,
    method: Vec<u8>,
    metadata: BTreeMap<String, String>,
    payload: Vec<u8>,
}

fn any_frame() -> impl Strategy<Value = AnyFrame> {
    let header = (any::<[bool; 3]>(), 0u8..16, 0u8..8, 0u8..4, any::<u8>(), any::<u64>()).prop_map(
        |([response, heartbeat, oneway], serialize, compress, status, version, seq)| {
            let header = Header::request(SerializeType::new(serialize).unwrap(), seq)
                .with_version(version)
                .with_heartbeat(heartbeat)
                .with_oneway(oneway)
                .with_compress(CompressType::new(compress).unwrap())
                .with_status(Status::new(status).unwrap());
            if response { header.as_response() } else { header }
        },
    );
    let name = || prop::collection::vec(any::<u8>(), 0..20);
    let metadata = prop::collection::btree_map(".{0,8}", ".{0,20}", 0..6);
    let payload = prop_oneof![prop::collection::vec(any::<u8>(), 0..200), (0usize..100_000).prop_map(|n| vec![7; n])];
    (header, name(), name(), metadata, payload).prop_map(|(header, service, method, metadata, payload)| AnyFrame {
        header,
        service,
        method,
        metadata,
        payload,
    })
}

proptest! {
    #[test]
    fn frames_come_back_whatever_the_pieces(frames in prop::collection::vec(any_frame(), 1..6), seed: u64, max in 1usize..70_000) {
        let mut wire = Vec::new();
        for frame in &frames {
            let metadata = frame.metadata.iter().collect();
            let AnyFrame { header, service, method, .. } = frame;
            encode(&mut wire, &Head { header: *header, service, method, metadata: &metadata, extra: &[] }, &frame.payload).unwrap();
        }
        let found = decode_pieces(&wire, Limits::default(), random_sizes(seed, max)).unwrap();
        prop_assert_eq!(found.len(), frames.len());
        for (sent, found) in frames.iter().zip(found) {
            let Decoded::Frame(found) = found else { panic!("{found:?}") };
            prop_assert_eq!(*found.header(), sent.header);
            prop_assert_eq!((found.service(), found.method()), (&sent.service[..], &sent.method[..]));
            prop_assert_eq!(found.metadata(), sent.metadata.iter().collect());
            prop_assert!(found.payload() == sent.payload);
            prop_assert_eq!(found.has_metadata(), !sent.metadata.is_empty());
            prop_assert!(found.into_payload() == sent.payload);
        }
    }

    #[test]
    fn any_bytes_end_in_frames_or_an_error(body in prop::collection::vec(any::<u8>(), 0..300), total: Option<u32>, seed: u64) {
        // A good start, so that more than the magic is looked at.
        let total = total.unwrap_or(body.len() as u32);
        let mut wire = vec![8, 0, 0, 0x30, 0, 0, 0, 0, 0, 0, 0, 1];
        wire.extend(total.to_be_bytes());
        wire.extend(body);
        let limits = Limits { max_message_size: 1000, max_metadata_size: 100, max_metadata_pairs: 3 };
        let whole = decode_pieces(&wire, limits, []).map(|found| found.len());
        let pieces = decode_pieces(&wire, limits, random_sizes(seed, 40)).map(|found| found.len());
        prop_assert_eq!(whole, pieces);
    }

    #[test]
    fn small_length_words_end_in_frames_or_an_error(words in prop::collection::vec(0u32..40, 4), fill: u8, size in 16u32..80) {
        let mut wire = vec![8, 0, 0, 0x30, 0, 0, 0, 0, 0, 0, 0, 1];
        wire.extend(size.to_be_bytes());
        wire.resize(16 + size as usize, fill);
        let mut at = 16;
        for word in words {
            if let Some(field) = wire.get_mut(at..at + 4) {
                field.copy_from_slice(&word.to_be_bytes());
            }
            at += 4 + word as usize;
        }
        if let Ok(found) = decode_pieces(&wire, Limits::default(), []) {
            let Some(Decoded::Frame(frame)) = found.first() else { panic!("{found:?}") };
            let parts = frame.service().len() + frame.method().len() + frame.metadata().block().len() + frame.payload().len();
            prop_assert_eq!(parts + 32, wire.len());
        }
    }

    #[test]
    fn memory_follows_what_came(total in 16u32..(64 << 20), came in 0usize..300_000, read in 1usize..9000) {
        let mut wire = vec![8, 0, 0, 0x30, 0, 0, 0, 0, 0, 0, 0, 1];
        wire.extend(total.to_be_bytes());
        let mut decoder = Decoder::new(Limits::default());
        decoder.buffer().extend_from_slice(&wire);
        let mut fed = 0;
        while fed < came.min(total as usize - 1) {
            prop_assert!(decoder.next().unwrap().is_none());
            let needed = decoder.needed();
            prop_assert!(needed > 0 && needed <= total as usize + 16);
            decoder.buffer().reserve(needed);
            let piece = read.min(total as usize - 1 - fed);
            decoder.buffer().extend_from_slice(&vec![0; piece]);
            fed += piece;
            prop_assert!(decoder.buffer().capacity() <= 2 * (fed + 16) + (128 << 10));
        }
    }

    #[test]
    fn metadata_is_a_map(operations in prop::collection::vec((0u8..4, "[a-d]{0,2}", "[x-z]{0,3}"), 0..60)) {
        let mut model = BTreeMap::new();
        let mut metadata = Metadata::new();
        for (operation, key, value) in operations {
            match operation {
                0 | 1 => {
                    metadata.insert(&key, &value);
                    model.insert(key.clone(), value);
                }
                2 => prop_assert_eq!(metadata.remove(&key), model.remove(&key).is_some()),
                _ => {
                    // Over the wire and back.
                    metadata = Metadata::decode(Bytes::copy_from_slice(metadata.block()), &Limits::default()).unwrap();
                }
            }
            prop_assert_eq!(metadata.get(&key), model.get(&key).map(String::as_str));
            prop_assert_eq!(metadata.contains(&key), model.contains_key(&key));
            prop_assert_eq!((metadata.len(), metadata.is_empty()), (model.len(), model.is_empty()));
        }
        let mut pairs = metadata.iter().collect::<Vec<_>>();
        pairs.sort_unstable();
        prop_assert!(pairs.into_iter().eq(model.iter().map(|(k, v)| (k.as_str(), v.as_str()))));
        metadata.retain(|key, _| key.contains('a'));
        model.retain(|key, _| key.contains('a'));
        prop_assert_eq!(metadata, model.iter().collect());
    }

    #[test]
    fn repeated_keys_of_the_wire_are_a_map(pairs in prop::collection::vec(("[a-e]{0,2}", "[x-z]{0,3}"), 0..80)) {
        let block = pairs.iter().flat_map(|(k, v)| [k, v]).flat_map(|text| {
            [&(text.len() as u32).to_be_bytes()[..], text.as_bytes()].concat()
        });
        let mut metadata = Metadata::decode(block.collect::<Vec<_>>().into(), &Limits::default()).unwrap();
        let model = pairs.iter().cloned().collect::<BTreeMap<_, _>>();
        prop_assert_eq!(metadata.len(), model.len());
        prop_assert_eq!(&metadata, &model.iter().collect::<Metadata>());
        prop_assert!(model.iter().all(|(key, value)| metadata.get(key) == Some(value)));
        if let Some((key, _)) = pairs.first() {
            prop_assert!(metadata.remove(key) && !metadata.contains(key));
            prop_assert_eq!(metadata.len(), model.len() - 1);
        }
    }

    #[test]
    fn any_bytes_are_metadata_or_an_error(block in prop::collection::vec(0u8..6, 0..60)) {
        if let Ok(metadata) = Metadata::decode(block.into(), &Limits::default()) {
            prop_assert!(metadata.iter().all(|(key, value)| metadata.get(key) == Some(value)));
        }
    }
}

const SEQ_END: u32 = 1 << 31;

/// An operation on the table; numbers choose among all sequence numbers that were ever given out.
#[derive(Clone, Debug)]
enum Operation {
    Begin,
    Complete(usize),
    Foreign(u64),
    Settle(usize),
    Take(usize),
    GiveUp(usize, bool),
    SkipSeq,
    Drain,
    Release,
}

fn operation() -> impl Strategy<Value = Operation> {
    let any_call = || 0usize..1000;
    prop_oneof![
        8 => Just(Operation::Begin),
        5 => any_call().prop_map(Operation::Complete),
        1 => prop_oneof![any::<u64>(), 0u64..100].prop_map(Operation::Foreign),
        2 => any_call().prop_map(Operation::Settle),
        2 => any_call().prop_map(Operation::Take),
        3 => (any_call(), any::<bool>()).prop_map(|(call, sent)| Operation::GiveUp(call, sent)),
        1 => Just(Operation::SkipSeq),
        1 => Just(Operation::Release),
        1 => prop_oneof![9 => Just(Operation::Begin), 1 => Just(Operation::Drain)],
    ]
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Model {
    Waiting(usize),
    Settled(usize),
    Lingering,
}

proptest! {
    #[test]
    fn an_answer_reaches_only_its_own_call(
        operations in prop::collection::vec(operation(), 0..400),
        start in prop_oneof![Just(0), SEQ_END - 300..SEQ_END],
        max in 1usize..70,
    ) {
        let mut pending = Pending::<usize, usize>::starting_at(max, start);
        let mut model = HashMap::<u32, Model>::new();
        let mut given = vec![start];
        for (step, operation) in operations.into_iter().enumerate() {
            let pick = |call: usize| given[given.len() - 1 - call % given.len()];
            match operation {
                Operation::Begin => match pending.begin(step) {
                    Ok(seq) => {
                        prop_assert!(model.len() < max && seq < SEQ_END);
                        prop_assert_eq!(model.insert(seq, Model::Waiting(step)), None);
                        given.push(seq);
                    }
                    Err(waiter) => prop_assert_eq!((waiter, model.len()), (step, max)),
                },
                Operation::Complete(call) => {
                    let seq = pick(call);
                    let expected = match model.get(&seq) {
                        Some(Model::Waiting(waiter)) => Some(*waiter),
                        _ => None,
                    };
                    prop_assert_eq!(pending.complete(u64::from(seq)), expected);
                    if !matches!(model.get(&seq), Some(Model::Settled(_))) {
                        model.remove(&seq);
                    }
                }
                Operation::Foreign(seq) => {
                    if !u32::try_from(seq).is_ok_and(|seq| model.contains_key(&seq)) {
                        prop_assert_eq!(pending.complete(seq), None);
                        prop_assert_eq!(pending.settle(seq, step), None);
                    }
                }
                Operation::Settle(call) => {
                    let seq = pick(call);
                    let waiter = pending.settle(u64::from(seq), step);
                    match model.get(&seq).copied() {
                        Some(Model::Waiting(expected)) => {
                            prop_assert_eq!(waiter, Some(expected));
                            model.insert(seq, Model::Settled(step));
                        }
                        state => {
                            prop_assert_eq!(waiter, None);
                            if state == Some(Model::Lingering) {
                                model.remove(&seq);
                            }
                        }
                    }
                }
                Operation::Take(call) => {
                    let seq = pick(call);
                    let result = pending.take(seq);
                    match model.get(&seq).copied() {
                        Some(Model::Settled(expected)) => {
                            prop_assert_eq!(result, Some(expected));
                            model.remove(&seq);
                        }
                        _ => prop_assert_eq!(result, None),
                    }
                }
                Operation::GiveUp(call, sent) => {
                    let seq = pick(call);
                    let expected = match model.get(&seq).copied() {
                        Some(Model::Waiting(waiter)) => Some(GaveUp::Waiting(waiter)),
                        Some(Model::Settled(result)) => Some(GaveUp::Settled(result)),
                        _ => None,
                    };
                    prop_assert_eq!(pending.give_up(seq, sent), expected);
                    match expected {
                        Some(GaveUp::Waiting(_)) if sent => {
                            model.insert(seq, Model::Lingering);
                        }
                        Some(_) => {
                            model.remove(&seq);
                        }
                        None => {}
                    }
                }
                Operation::SkipSeq => {
                    let seq = pending.skip_seq();
                    prop_assert!(seq < SEQ_END && !model.contains_key(&seq));
                    given.push(seq);
                }
                Operation::Release => pending.release(),
                Operation::Drain => {
                    let mut drained = pending.drain().collect::<Vec<_>>();
                    let mut expected = Vec::new();
                    model.retain(|seq, state| match *state {
                        Model::Waiting(waiter) => {
                            expected.push((*seq, waiter));
                            false
                        }
                        Model::Lingering => false,
                        Model::Settled(_) => true,
                    });
                    drained.sort_unstable();
                    expected.sort_unstable();
                    prop_assert_eq!(drained, expected);
                }
            }
            let count = |wanted: fn(&Model) -> bool| model.values().filter(|state| wanted(state)).count();
            prop_assert_eq!(pending.len(), count(|state| matches!(state, Model::Waiting(_))));
            prop_assert_eq!(pending.lingering(), count(|state| *state == Model::Lingering));
            prop_assert_eq!(pending.in_use(), model.len());
        }
        for (seq, state) in &model {
            let waits = matches!(state, Model::Waiting(_));
            prop_assert_eq!(pending.waiter_mut(*seq).is_some(), waits);
        }
        // No number came twice: they only count up, and 2^31 is far away.
        let steps = given[1..].iter().map(|seq| seq.wrapping_sub(start) % SEQ_END).collect::<Vec<_>>();
        prop_assert!(steps.is_sorted_by(|a, b| a < b), "{:?}", given);
    }

    #[test]
    fn deadlines_come_out_in_their_tick(
        operations in prop::collection::vec((0u8..4, 0u64..3000, 0usize..1000), 0..200),
        tick in 1u64..20,
        start in prop_oneof![Just(0), Just(u64::from(u32::MAX) * 1000)],
    ) {
        let mut wheel = Wheel::with_tick(tick);
        let mut model = Vec::new();
        let mut gone = Vec::new();
        let mut now = start;
        for (step, (operation, time, pick)) in operations.into_iter().enumerate() {
            match operation {
                0 | 1 => {
                    // Some in the past.
                    let due = (now + time).saturating_sub(100);
                    model.push((due, step as u32, wheel.schedule(step as u32, due)));
                }
                2 if !model.is_empty() => {
                    let (_, _, handle) = model.swap_remove(pick % model.len());
                    prop_assert!(wheel.cancel(handle));
                    gone.push(handle);
                }
                _ => {
                    now += time / 4;
                    let mut due = Vec::new();
                    wheel.expire(now, &mut due);
                    let mut expected = Vec::new();
                    model.retain(|(at, key, handle)| {
                        let is_due = at.div_ceil(tick) * tick <= now;
                        if is_due {
                            expected.push(*key);
                            gone.push(*handle);
                        }
                        !is_due
                    });
                    due.sort_unstable();
                    expected.sort_unstable();
                    prop_assert_eq!(due, expected);
                }
            }
            wheel.release();
            prop_assert_eq!(wheel.len(), model.len());
            prop_assert!(gone.iter().all(|handle| !wheel.cancel(*handle)));
            let earliest = model.iter().map(|(at, ..)| at.div_ceil(tick) * tick).min();
            prop_assert_eq!(wheel.next_due(now).is_none(), earliest.is_none());
            if let (Some(next), Some(earliest)) = (wheel.next_due(now), earliest) {
                prop_assert!(next <= earliest.max(now));
            }
        }
        // Following `next_due` gets everything out, each wake but the stale ones with a result.
        let mut due = Vec::new();
        let mut wakes = 0;
        while let Some(next) = wheel.next_due(now) {
            now = next;
            wheel.expire(now, &mut due);
            wakes += 1;
            prop_assert!(wakes <= 500, "{} entries left", wheel.len());
        }
        prop_assert_eq!(due.len(), model.len());
    }

    /// A peer that answers each heartbeat within both timeouts is never closed, whenever calls are made.
    #[test]
    fn a_peer_that_answers_in_time_stays(
        times in (1u64..50_000, 1u64..50_000, 1u64..50_000),
        events in prop::collection::vec((0u64..30_000, any::<bool>(), 0u64..100), 1..200),
    ) {
        let (interval, timeout, stuck_timeout) = times;
        let config = HeartbeatConfig { enabled: true, interval, timeout, stuck_timeout };
        let mut heartbeat = Heartbeat::new(config, 0);
        let (mut now, mut pending_since) = (0, None);
        let mut answers = Vec::<u64>::new();
        for (pause, toggle, latency) in events {
            let end = now + pause;
            if toggle {
                pending_since = if pending_since.is_some() { None } else { Some(now) };
            }
            loop {
                let since = pending_since.unwrap_or(0);
                let action = heartbeat.poll(now, pending_since.is_some(), since);
                prop_assert!(!matches!(action, Action::Close(_)), "{action:?} at {now}");
                if action == Action::Send {
                    answers.push(now + latency * timeout.min(stuck_timeout) / 101);
                }
                let due = heartbeat.next_due(now, pending_since.is_some()).expect("always something to wait for");
                let next = answers.iter().copied().chain([due, end]).min().unwrap_or(end);
                prop_assert!(next >= now);
                now = next;
                if answers.contains(&now) {
                    answers.retain(|answer| *answer != now);
                    heartbeat.on_receive(now);
                } else if now == end {
                    break;
                }
            }
        }
    }

    /// A dead peer is found: idle after a heartbeat and its timeout, sooner with calls pending.
    #[test]
    fn a_dead_peer_is_closed(times in (1u64..50_000, 1u64..50_000, 1u64..50_000), opened in 0u64..1 << 40, pending: bool) {
        let (interval, timeout, stuck_timeout) = times;
        let config = HeartbeatConfig { enabled: true, interval, timeout, stuck_timeout };
        let mut heartbeat = Heartbeat::new(config, opened);
        let (mut now, mut polls) = (opened, 0);
        while !matches!(heartbeat.poll(now, pending, opened), Action::Close(_)) {
            now = heartbeat.next_due(now, pending).expect("not yet closed");
            polls += 1;
            prop_assert!(polls < 6);
        }
        let idle = interval + timeout;
        let latest = if pending { idle.min(2 * stuck_timeout) } else { idle };
        prop_assert!(now - opened <= latest);
        prop_assert!(polls >= 2, "it was asked first");
    }
}
