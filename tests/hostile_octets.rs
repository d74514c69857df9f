//! Whatever reads octets that a sender chose: over the seeds of the fuzzer, over all that ever broke it, and in linear time.

use std::path::PathBuf;

use rustix::time::{ClockId, clock_gettime};

use crate::{fuzzed::TARGETS, stack::root};

fn files(target: &str) -> Vec<PathBuf> {
    let folders = ["tests/fuzz/seeds", "tests/fuzz/broken"].map(|folder| root().join(folder).join(target));
    let entries = folders.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten();
    entries.map(|entry| entry.expect("readable").path()).collect()
}

#[test]
fn no_seed_of_the_fuzzer_breaks_a_promise() {
    for (target, fuzzed) in TARGETS {
        let files = files(target);
        assert!(4 < files.len(), "{target} has {} seeds", files.len());
        for file in files {
            println!("{}", file.display());
            let octets = std::fs::read(&file).expect("a seed");
            fuzzed(&octets);
            // What is cut off or damaged is read as well.
            for at in (0..octets.len()).step_by(octets.len() / 20 + 1) {
                fuzzed(&octets[..at]);
                let mut damaged = octets.clone();
                damaged[at] ^= 0x20;
                fuzzed(&damaged);
            }
        }
    }
}

/// Pieces that a careless reader goes over again for each one that follows.
const REPEATED: [&str; 36] = [
    "(",
    ")",
    "<",
    ">",
    "\"",
    "\\\"",
    ",",
    ";",
    "@",
    ".",
    "a@b.example,",
    "=?utf-8?q?=3C?= ",
    "\u{ff20}",
    "a:",
    "\r\n ",
    "\r\n\t\r\n",
    "\r\n.\n",
    "X: y\r\n",
    "From: <a@b.example>\r\n",
    "DKIM-Signature: v=1; a=rsa-sha256; d=bank.example; s=s; h=from; bh=; b=\r\n",
    "ARC-Seal: i=1; cv=none\r\n",
    "Authentication-Results: mx.example\r\n",
    "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n",
    "--b\r\n",
    "include:%{ir}.%{v}._spf.%{d2} ",
    "h=from:to:",
    "PK\x03\x04\x14\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0a",
    "PK\x01\x02\0\0\0\0\0\0\0\0",
    "%PDF-1.4\n1 0 obj<</A",
    "1 0 obj<<>>stream\n",
    "%PDF-[<<",
    "{\\object{\\*\\objdata 00",
    "{\\rt",
    "ustar",
    "<svg><!--",
    "<a b='",
];

const FEW: usize = 20_000;
const TIMES: usize = 16;

/// Linear work takes 16 times as long, quadratic work 256 times. Processor time of this thread, the least of three runs: other
/// work on the machine does not count.
#[test]
fn sixteen_times_the_octets_take_no_more_than_four_times_as_long_an_octet() {
    for (target, fuzzed) in TARGETS {
        for piece in REPEATED {
            let [few, many] = [FEW, FEW * TIMES].map(|octets| {
                let repeated = piece.repeat(octets / piece.len());
                (0..3).map(|_| spent(|| fuzzed(repeated.as_bytes()))).min().expect("three runs")
            });
            // What takes less than a tenth of a millisecond is mostly something else.
            let few = few.max(100_000);
            assert!(many < few * TIMES as u64 * 4, "{target} on {piece:?}: {few} ns, then {many} ns");
        }
    }
}

fn spent(work: impl FnOnce()) -> u64 {
    let before = processor_ns();
    work();
    processor_ns() - before
}

fn processor_ns() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    u64::try_from(time.tv_sec * 1_000_000_000 + time.tv_nsec).expect("time passes")
}
