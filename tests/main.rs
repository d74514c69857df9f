//! One binary: black box through the running stack, conformance suites as data, and the layout fence.

#![expect(clippy::panic, clippy::indexing_slicing, reason = "a test that fails panics")]

mod alerts;
mod attacks;
mod bootstraps;
mod command_line;
mod conformance;
mod content;
mod content_limits;
mod dns;
mod drill;
mod faults;
mod fuzzed;
mod hostile_octets;
mod inbound;
mod inbound_faults;
mod incidents;
mod inspector_faults;
mod isolation;
mod keys;
mod knowledge;
mod limits;
mod load;
mod objects;
mod ocsf;
mod openapi;
mod page;
mod permissions;
mod posture;
mod privacy;
mod proxy;
mod quarantine;
mod readme;
mod runtime_api;
mod stack;
mod table;
mod tidy;
mod tokens;
mod validate;
