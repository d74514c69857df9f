//! The one place of the local binary that reads the clock.

use std::time::SystemTime;

/// Now, as the operating system says.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "a process has to read the clock somewhere")]
pub fn now() -> SystemTime {
    SystemTime::now()
}
