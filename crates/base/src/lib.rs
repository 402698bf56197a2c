//! What every crate of the workspace may stand on. It knows none of them.

mod modality;
pub mod random;
mod suggest;

pub use self::modality::{Modality, ModalityError};
pub use self::suggest::did_you_mean;
