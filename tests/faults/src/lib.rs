//! What the fault tests are made of: a proxy that spoils connections, processes to be killed, and a look at what they hold.

mod process;
mod proxy;
mod resources;

pub use process::Victim;
pub use proxy::{Fault, Proxy};
pub use resources::{Held, held};
