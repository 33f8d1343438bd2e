//! Leader election: of several replicas one leads, and only the leader acts. The Lease is written with the
//! resourceVersion that was read, as client-go does it, and judged by this process's own clock.
//!
//! It is our own, because what there is does not fence: `kube-lease-manager` and `kube-leader-election` judge the Lease
//! by the wall clocks of two machines, `kubert` wants it to exist before, and none tells a release from an expiry, which
//! the next leader has to know.

mod calls;
mod claim;
mod elector;
mod evaluate;
mod lease;
mod standing;

pub use claim::Claim;
pub use elector::{Elector, Left};
pub use evaluate::{InvalidLeaseTimes, LeaseTimes, Start, Term};
pub use standing::{Role, Standing};
