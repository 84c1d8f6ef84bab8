//! What keeps failures from spreading: small machines that take the time and random bits as arguments. Pure: no sockets,
//! no tasks, no clock.

mod backoff;
mod budget;
mod dial_backoff;

pub use backoff::Backoff;
pub use budget::{BudgetRules, RetryBudget};
pub use dial_backoff::DialBackoff;
