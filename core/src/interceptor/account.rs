//! What a batch of requests takes from token buckets, written down once for all of it.
//!
//! A bucket that the requests of several threads share is a cache line that they take from each other. So a batch looks how
//! much there is, takes from that without a word while it is a small part, and settles at its end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::TokenBucket;

/// One batch's account with one bucket. [`settle`](Self::settle) closes it.
#[derive(Debug, Default)]
pub(crate) struct Account {
    /// Tokens that may be taken before the next look.
    room: u32,
    /// Taken since the last look.
    taken: u32,
}

impl Account {
    /// Takes a token that comes within `longest`, and says how long to wait for it.
    ///
    /// # Errors
    /// How long the wait would be; nothing was taken.
    #[inline]
    pub(crate) fn take(&mut self, bucket: &TokenBucket, now: Instant, longest: Duration) -> Result<Duration, Duration> {
        if self.room == 0 {
            return self.look_and_take(bucket, now, longest);
        }
        self.room -= 1;
        self.taken += 1;
        Ok(Duration::ZERO)
    }

    #[inline(never)]
    fn look_and_take(&mut self, bucket: &TokenBucket, now: Instant, longest: Duration) -> Result<Duration, Duration> {
        self.settle(bucket, now);
        match bucket.credit(now) {
            0 => bucket.reserve(now, longest),
            credit => {
                *self = Account { room: credit - 1, taken: 1 };
                Ok(Duration::ZERO)
            }
        }
    }

    /// Tells the bucket what was taken.
    #[inline]
    pub(crate) fn settle(&mut self, bucket: &TokenBucket, now: Instant) {
        if self.taken > 0 {
            bucket.settle(self.taken, now);
        }
        *self = Account::default();
    }
}

/// The accounts of a batch with every bucket that its requests take from.
#[derive(Debug, Default)]
pub(crate) struct Accounts {
    pub(super) all: Account,
    pub(super) peer: Account,
    service: Account,
    /// Whose bucket `service` is with.
    last: Option<Arc<TokenBucket>>,
}

impl Accounts {
    /// The account with the bucket of a service: requests come in runs of one.
    #[inline]
    pub(super) fn service(&mut self, bucket: &Arc<TokenBucket>, now: Instant) -> &mut Account {
        if !self.last.as_ref().is_some_and(|last| Arc::ptr_eq(last, bucket)) {
            self.settle_service(now);
            self.last = Some(bucket.clone());
        }
        &mut self.service
    }

    pub(super) fn settle_service(&mut self, now: Instant) {
        if let Some(last) = &self.last {
            self.service.settle(last, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tokens that batches of `len` requests get at one moment.
    fn take_in_batches(bucket: &TokenBucket, len: usize, now: Instant) -> usize {
        let mut granted = 0;
        loop {
            let mut account = Account::default();
            let got = (0..len).filter(|_| account.take(bucket, now, Duration::ZERO).is_ok()).count();
            account.settle(bucket, now);
            granted += got;
            if got == 0 {
                return granted;
            }
        }
    }

    #[test]
    fn batches_get_as_much_as_single_requests() {
        let now = Instant::now();
        for (burst, len) in [(1, 5), (100, 7), (10_000, 1), (10_000, 333), (1_000_000, 100_000)] {
            let bucket = TokenBucket::new(1.0, burst, now);
            assert_eq!(take_in_batches(&bucket, len, now), burst as usize, "in batches of {len}");
            assert_eq!(bucket.try_take(now), Err(Duration::from_secs(1)));
        }
    }

    #[test]
    fn threads_exceed_a_burst_by_little_and_pay_it_back() {
        let now = Instant::now();
        let bucket = TokenBucket::new(1.0, 1_000_000, now);
        let granted: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| take_in_batches(&bucket, 5_000, now))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert!((1_000_000..=1_000_000 + 4 * 1_000_000 / 256).contains(&granted), "{granted}");
        let missing = bucket.try_take(now).unwrap_err().as_secs();
        assert_eq!(missing as usize, granted - 1_000_000 + 1, "every token that was taken is paid");
    }

    #[test]
    fn a_change_of_service_settles_the_one_before() {
        let now = Instant::now();
        let [a, b] = [(); 2].map(|()| Arc::new(TokenBucket::new(1.0, 10_000, now)));
        let mut accounts = Accounts::default();
        for bucket in [&a, &a, &b, &a] {
            accounts.service(bucket, now).take(bucket, now, Duration::ZERO).unwrap();
        }
        accounts.settle_service(now);
        let left = |bucket: &TokenBucket| (0..20_000).take_while(|_| bucket.try_take(now).is_ok()).count();
        assert_eq!([&a, &b].map(|bucket| left(bucket)), [9_997, 9_999]);
    }
}
