//! One binary: black box through the running stack, conformance suites as data, and the layout fence.

mod stack;
