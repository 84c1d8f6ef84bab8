//! Fail mode failbackup: a second server is asked beside the first when that one is late.

use std::sync::Arc;
use std::time::Instant;

use super::answer::Answer;
use super::call::{PayloadFn, Target};
use super::options::Plan;
use super::selection::Selected;
use crate::connection::buffers;
use crate::error::Result;

impl<'a> Target<'a> {
    /// Failbackup: a second server is asked when the first has not answered in time; the first good answer wins. When the
    /// first fails before that, the next one is asked in its place.
    pub(super) async fn with_backup(&self, plan: &Plan<'_>, payload: PayloadFn<'_>) -> Result<Answer<'a>> {
        let mut first = std::pin::pin!(self.attempt(plan, payload, &[], None, 1, plan.now));
        if plan.retries() == 0 {
            return first.await;
        }
        let early = tokio::time::timeout(plan.backup_latency(), &mut first).await;
        let failed = match early {
            Ok(Err(error)) if self.may_retry(plan, &error, 1) => Some(error),
            Ok(done) => return done,
            Err(_) => None,
        };
        let tried = plan.first.get().cloned();
        let now = Instant::now();
        if let Some(error) = failed {
            if !self.client.may_spend_retry(now) {
                return Err(error);
            }
            self.method.recorder.retried();
            let second = self.attempt(plan, payload, tried.as_slice(), None, 2, now).await;
            return second.map_err(|error| error.with_attempts(2));
        }
        let Some((selected, frame)) = self.prepare_backup(plan, payload, tried.as_slice(), now).await else {
            return first.await;
        };
        self.method.recorder.retried();
        let mut second = std::pin::pin!(self.exchange(plan, selected, frame, 2, now));
        let answer = tokio::select! {
            answer = &mut first => match answer {
                Ok(answer) => Ok(answer),
                Err(_) => second.await,
            },
            answer = &mut second => match answer {
                Ok(answer) => Ok(answer),
                Err(_) => first.await,
            },
        };
        match answer {
            Ok(answer) => Ok(Answer { attempts: 2, ..answer }),
            Err(error) => Err(error.with_attempts(2)),
        }
    }

    /// A backup request to a server that is not the first one's. `None`: the first is not known yet, there is no other, or
    /// the budget is spent.
    async fn prepare_backup(
        &self,
        plan: &Plan<'_>,
        payload: PayloadFn<'_>,
        first: &[Arc<str>],
        now: Instant,
    ) -> Option<(Selected<'a>, Vec<u8>)> {
        if first.is_empty() {
            return None;
        }
        let (selected, frame) = self.prepare(plan, payload, first, None, now).await.ok()?;
        if first.contains(selected.address()) || !self.client.may_spend_retry(now) {
            buffers::put_scratch(frame);
            return None;
        }
        Some((selected, frame))
    }
}
