//! Tests of the queue: order, withdrawal, and what leaves memory.

use super::*;

fn frame(byte: u8, len: usize) -> Vec<u8> {
    vec![byte; len]
}

/// Writes everything out in steps of `step` bytes.
fn drain(outbox: &mut Outbox, step: usize) -> Vec<u8> {
    let mut out = Vec::new();
    while !outbox.is_empty() {
        let taken = {
            let mut slices = [IoSlice::new(&[]); MAX_SLICES];
            let used = outbox.slices(&mut slices);
            assert!(used > 0, "bytes wait but none are offered");
            let before = out.len();
            for slice in &slices[..used] {
                let room = step - (out.len() - before);
                out.extend_from_slice(&slice[..room.min(slice.len())]);
            }
            out.len() - before
        };
        outbox.advance(taken);
    }
    out
}

#[test]
fn frames_leave_in_order_across_segments() {
    for step in [61, 1000, usize::MAX] {
        let mut outbox = Outbox::default();
        let mut expected = Vec::new();
        for i in 0..40u8 {
            let bytes = frame(i, 100 + usize::from(i) * 500);
            expected.extend_from_slice(&bytes);
            outbox.push(&mut bytes.clone(), Some(u32::from(i)));
        }
        assert_eq!(drain(&mut outbox, step), expected);
        assert_eq!(outbox.queued_bytes(), 0);
        assert_eq!(outbox.queued_frames(), 0);
    }
}

#[test]
fn a_withdrawn_frame_is_never_written() {
    for step in [1, 3, usize::MAX] {
        for gone in 0..5u8 {
            let mut outbox = Outbox::default();
            let starts: Vec<u64> = (0..5u8).map(|i| outbox.push(&mut frame(i, 10), Some(u32::from(i)))).collect();
            assert!(outbox.withdraw(starts[usize::from(gone)]));
            assert!(!outbox.withdraw(starts[usize::from(gone)]), "a frame is withdrawn once");
            let expected: Vec<u8> = (0..5u8).filter(|i| *i != gone).flat_map(|i| frame(i, 10)).collect();
            assert_eq!(drain(&mut outbox, step), expected);
        }
    }
}

#[test]
fn what_has_begun_to_leave_cannot_be_withdrawn() {
    let mut outbox = Outbox::default();
    let first = outbox.push(&mut frame(1, 10), Some(1));
    outbox.push(&mut frame(2, 10), Some(2));
    outbox.advance(1);
    assert!(!outbox.withdraw(first));
    assert_eq!(outbox.withdraw_oldest(), Some(2));
    assert_eq!(outbox.withdraw_oldest(), None);
    assert_eq!(drain(&mut outbox, 100), frame(1, 9));
}

#[test]
fn withdrawing_from_the_front_frees_memory() {
    let mut outbox = Outbox::default();
    for seq in 0..4 {
        outbox.push(&mut frame(7, 60 * 1024), Some(seq));
    }
    for seq in 0..4 {
        assert_eq!(outbox.withdraw_oldest(), Some(seq));
        assert_eq!(outbox.queued_bytes(), (3 - seq as usize) * 60 * 1024);
    }
    assert!(outbox.is_empty());
}

#[test]
fn a_stuck_frame_at_the_front_keeps_nothing_else_in_memory() {
    for len in [1000, COPY_LIMIT + 1] {
        let mut outbox = Outbox::default();
        outbox.push(&mut frame(0, 2 * COPY_LIMIT), None);
        outbox.advance(1);
        let rest = outbox.waiting_bytes();
        let mut waiting = VecDeque::new();
        for seq in 0..1000_u32 {
            outbox.push(&mut frame(seq as u8, len), Some(seq));
            waiting.push_back(seq);
            while outbox.waiting_bytes() - rest > 20 * len {
                assert_eq!(outbox.withdraw_oldest(), waiting.pop_front());
            }
            assert_eq!(outbox.waiting_bytes() - rest, outbox.withdrawable_bytes());
            assert!(outbox.queued_bytes() <= 2 * COPY_LIMIT + 20 * len + 2 * SEGMENT, "{}", outbox.queued_bytes());
            assert!(outbox.segments.len() <= 2 + 2 + waiting.len());
        }
        let kept = waiting.iter().flat_map(|seq| frame(*seq as u8, len));
        let expected: Vec<u8> = frame(0, 2 * COPY_LIMIT - 1).into_iter().chain(kept).collect();
        assert!(drain(&mut outbox, 777) == expected);
        assert_eq!((outbox.queued_bytes(), outbox.waiting_bytes(), outbox.withdrawable_bytes()), (0, 0, 0));
    }
}

#[test]
fn segments_taken_whole_leave_out_withdrawn_frames() {
    let mut outbox = Outbox::default();
    let starts: Vec<u64> = (0..6u8).map(|i| outbox.push(&mut frame(i, 10), Some(u32::from(i)))).collect();
    outbox.push(&mut frame(9, COPY_LIMIT + 1), Some(9));
    assert!(outbox.withdraw(starts[0]));
    assert!(outbox.withdraw(starts[3]));
    assert!(outbox.withdraw(starts[5]));
    let first = outbox.take_front().expect("a segment");
    let expected: Vec<u8> = [1u8, 2, 4].into_iter().flat_map(|i| frame(i, 10)).collect();
    assert_eq!(first, expected);
    assert_eq!(outbox.take_front().expect("a segment"), frame(9, COPY_LIMIT + 1));
    assert!(outbox.take_front().is_none());
    assert!(outbox.is_empty());
}
