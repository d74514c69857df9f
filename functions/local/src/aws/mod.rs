//! The AWS services of the stack on one machine. Each answers on a loopback port of its own, in the protocol that the
//! real SDK clients speak; nothing here is reachable from another machine.

pub mod calls;
pub mod clients;
pub mod dynamodb;
pub mod lambda;
mod loopback;
pub mod s3;
pub mod sns;
