//! What we know of the resources: one resource, its memory, the index of all, and how copies come in from
//! lists, watches and reads.

pub mod index;
pub mod memory;
pub mod mirror;
pub mod published;
pub mod resource;
#[allow(clippy::module_inception, reason = "it is what the folder is about")]
mod resources;
pub mod rooms;
pub mod sent;
pub mod status_write;
mod text;
pub mod told;

pub use index::{Index, Mark, Source, owner};
pub use memory::{Memory, Progress, ReachedChange};
pub use published::{Published, Transition, Transitions};
pub use resource::{Resource, ResourceKey, version};
pub use resources::Resources;
pub use sent::Sent;
pub use status_write::{NotNow, StatusWrite};
pub use text::printable;
