//! Random bits for choices and jitter; not for secrets.

use std::cell::Cell;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

thread_local! {
    static STATE: Cell<u64> = Cell::new(RandomState::new().build_hasher().finish());
}

/// 64 random bits: fast, seeded differently in every thread, not for secrets.
pub fn random_bits() -> u64 {
    STATE.with(|state| {
        state.set(state.get().wrapping_add(0x9e37_79b9_7f4a_7c15));
        mix(state.get())
    })
}

/// The finalizer of SplitMix64: every bit of the input changes half of the bits of the output.
pub(crate) fn mix(bits: u64) -> u64 {
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// A random time between half of this and the whole of it, so that those who begin to wait together do not end together.
pub fn jittered(time: Duration) -> Duration {
    time / 2 + (time / 2).mul_f64((random_bits() >> 32) as f64 / f64::from(u32::MAX))
}

/// A number below `limit`, which is not 0, from random bits.
pub(crate) fn below(limit: usize, bits: u64) -> usize {
    // The high half of the product: without division, and even enough for any number of nodes.
    ((u128::from(bits) * limit as u128) >> 64) as usize
}
