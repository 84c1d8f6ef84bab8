//! What keeps failures from spreading: small machines that take the time and random bits as arguments. Pure: no sockets,
//! no tasks, no clock.

mod backoff;
mod breaker;
mod budget;
mod dial_backoff;
mod ejection;
mod tally;
mod ticker;
mod window;

pub use backoff::Backoff;
pub use breaker::{Breaker, BreakerRules, BreakerState, CallEnd, Permit};
pub use budget::{BudgetRules, RetryBudget};
pub use dial_backoff::DialBackoff;
pub use ejection::{EjectionRules, Ejector, Standing};
pub use tally::{Tally, Totals};
pub use ticker::Ticker;
