//! One binary: black box through the running stack, conformance suites as data, and the layout fence.

#![expect(clippy::panic, clippy::indexing_slicing, reason = "a test that fails panics")]

mod readme;
mod stack;
