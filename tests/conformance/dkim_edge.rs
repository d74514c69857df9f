//! Messages signed at the edge of what RFC 6376 and RFC 8301 allow.

use super::{Score, data, judge, judged, list, served, text, unless_among};

const PASSED: usize = 21;

/// What is due, as the note of each case says it: results of DKIM, of DMARC, and dispositions.
///
/// The domain that is forged or signs asks for p=reject; the envelope sender's publishes nothing.
const DUE: [(&str, &str, &str, &str); 21] = [
    ("rsa2048", "pass", "pass", "deliver"),
    ("rsa4096", "pass", "pass", "deliver"),
    ("rsa512", "fail permerror neutral", "fail", "reject"),
    ("l-append", "fail permerror neutral", "fail", "reject"),
    ("no-from-in-h", "fail permerror neutral", "fail", "reject"),
    ("dup-from-oversigned", "none fail permerror neutral", "permerror fail none", "reject"),
    ("x-before-t", "fail permerror neutral", "fail", "reject"),
    ("i-subdomain", "pass", "pass", "deliver"),
    ("key-missing", "fail permerror neutral", "fail", "reject"),
    ("key-p-only", "pass", "pass", "deliver"),
    ("key-s-other", "fail permerror neutral", "fail", "reject"),
    ("key-v-last", "fail permerror neutral", "fail", "reject"),
    ("v-2", "fail permerror neutral", "fail", "reject"),
    ("bad-subject", "fail", "fail", "reject"),
    // No mail server passes this on as it is. Whoever reads LF for CRLF verifies it, whoever does not finds no match.
    ("bare-lf", "pass fail permerror neutral", "pass fail", "deliver quarantine reject"),
    ("d-is-tld", "fail permerror neutral", "fail", "reject"),
    // The one good signature comes last, after more than anyone has to look at.
    ("sigs-300-distinct", "pass fail permerror neutral", "pass fail", "deliver reject"),
    ("from-two-addr", "none fail permerror neutral", "permerror fail none", "reject quarantine"),
    ("from-encoded", "none", "none", "deliver quarantine"),
    ("from-source-route", "none fail permerror neutral", "permerror fail none", "reject quarantine"),
    ("spf-aligned", "none", "pass", "deliver"),
];

#[tokio::test]
async fn signatures_that_the_rfcs_forbid_do_not_pass() {
    let suite = data("dkim-edge/dkim-edge-dev.json");
    let server = served(&suite["zone"]).await;
    let judge = judge(&server);
    let mut score = Score::default();
    for case in list(&suite["cases"]) {
        let word = |name: &str| text(&case[name]);
        let message = word("message").as_bytes();
        let report = judged(&judge, message, word("host"), word("helo"), word("mailfrom")).await;
        let (dkim, dmarc, disposition) = due(word("id"));
        let faults = [
            unless_among("dkim", report.dkim, &dkim),
            unless_among("dmarc", report.dmarc, &dmarc),
            unless_among("disposition", report.disposition, &disposition),
        ];
        let faults: Vec<String> = faults.into_iter().flatten().collect();
        score.add(&format!("{} ({})", word("id"), word("note")), &faults);
    }
    score.expect("DKIM edge cases", PASSED, DUE.len());
}

fn due(id: &str) -> (Vec<String>, Vec<String>, Vec<String>) {
    let words = |text: &str| text.split(' ').map(str::to_owned).collect();
    let case = DUE.iter().find(|(name, ..)| *name == id);
    let (_, dkim, dmarc, disposition) = case.unwrap_or_else(|| panic!("nothing is stated for {id}"));
    (words(dkim), words(dmarc), words(disposition))
}
