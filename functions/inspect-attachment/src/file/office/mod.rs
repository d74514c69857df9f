//! Documents of Office, old and new.

pub(crate) mod binary;
pub(crate) mod compound;
pub(crate) mod compressed_rtf;
pub(crate) mod field;
pub(crate) mod flat;
pub(crate) mod formula;
pub(crate) mod macros;
pub(crate) mod open;
pub(crate) mod outlook;
pub(crate) mod package;
pub(crate) mod parts;
mod reference;
pub(crate) mod relations;
pub(crate) mod rtf;
