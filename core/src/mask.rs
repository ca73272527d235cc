//! What must not be read, taken out of what is printed or recorded ([SEC-1](crate::protocol#sec-1),
//! [SEC-6](crate::protocol#sec-6)): what has the name of a secret, and what is known to be one by its value. Where a
//! recording has to distinguish secrets, each has a name of its own.

mod by_name;
mod known;
#[cfg(feature = "recorder")]
mod names;

#[cfg(feature = "recorder")]
pub(crate) use self::by_name::hide;
pub use self::by_name::mask;
pub use self::known::Masker;
#[cfg(all(test, feature = "recorder"))]
pub(crate) use self::names::MAX_NAMES;
#[cfg(feature = "recorder")]
pub(crate) use self::names::{MAX_WORD, Names, mask_code};
