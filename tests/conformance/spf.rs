//! The SPF test suite for RFC 7208, with its explanations.

use futures_util::{StreamExt, stream};
use gatepost::{
    io::authentication::Authenticator,
    spf::{Session, SpfCheck},
};
use gatepost_local::clock;
use serde_json::Value;

use super::{AT_ONCE, Score, authenticator, data, list, served, text, texts, unless_among};

const CASES: usize = 203;
/// Cases in which a domain owner's explanation is due, or nobody's.
const EXPLANATIONS: usize = 22;

#[tokio::test]
async fn spf_results_and_explanations_are_those_of_the_rfc_7208_suite() {
    let suite = data("spf/rfc7208-tests.json");
    let checks = list(&suite).iter().map(check_all);
    // Side by side, as most of the time goes into waiting for name servers that do not answer.
    let checks: Vec<Vec<SpfCheck>> = stream::iter(checks).buffered(AT_ONCE).collect().await;
    let (mut results, mut explanations) = (Score::default(), Score::default());
    for (scenario, checks) in list(&suite).iter().zip(&checks) {
        for (case, check) in list(&scenario["cases"]).iter().zip(checks) {
            results.add(text(&case["id"]), &result_faults(case, check));
            if let Some(due) = case["explanation"].as_str() {
                explanations.add(text(&case["id"]), &explanation_faults(due, check));
            }
        }
    }
    results.expect("SPF results", CASES, CASES);
    explanations.expect("SPF explanations", EXPLANATIONS, EXPLANATIONS);
}

async fn check_all(scenario: &Value) -> Vec<SpfCheck> {
    let server = served(&scenario["zone"]).await;
    let authenticator = authenticator(&server);
    let checks = list(&scenario["cases"]).iter().map(|case| check(&authenticator, case));
    stream::iter(checks).buffered(AT_ONCE).collect().await
}

async fn check(authenticator: &Authenticator, case: &Value) -> SpfCheck {
    let client_ip = text(&case["host"]).parse().expect("an address");
    let (helo, mail_from) = (text(&case["helo"]), text(&case["mailfrom"]));
    authenticator.spf(&Session { client_ip, helo, mail_from, receiver: "", now: clock::now() }).await
}

fn result_faults(case: &Value, check: &SpfCheck) -> Vec<String> {
    unless_among("result", check.result.as_str(), &texts(&case["results"])).into_iter().collect()
}

/// `DEFAULT` is whatever the receiver says when the domain owner says nothing usable; we say nothing then.
fn explanation_faults(due: &str, check: &SpfCheck) -> Vec<String> {
    let due = (due != "DEFAULT").then_some(due);
    let found = check.explanation.as_deref();
    if found == due { Vec::new() } else { vec![format!("{found:?} instead of {due:?}")] }
}
