//! Half of the ARC validation suite (RFC 8617).

use futures_util::{StreamExt, stream};
use gatepost_verify_inbound::judge::Judge;
use serde_json::{Map, Value, json};

use super::{AT_ONCE, Score, data, judge, judged, list, served, text, unless_among};

const CASES: usize = 87;

const PASSED: usize = 87;

#[tokio::test]
async fn arc_chains_validate_as_the_validation_suite_says() {
    let mut score = Score::default();
    for scenario in list(&data("arc/arc-validation-dev.json")) {
        let server = served(&zone(&scenario["txt-records"])).await;
        let judge = judge(&server);
        let cases = scenario["tests"].as_object().expect("cases by name");
        let found = cases.values().map(|case| arc_result(&judge, case));
        let found: Vec<&str> = stream::iter(found).buffered(AT_ONCE).collect().await;
        for ((name, case), found) in cases.iter().zip(found) {
            let faults: Vec<String> = unless_among("arc", found, &[due(case)]).into_iter().collect();
            score.add(name, &faults);
        }
    }
    score.expect("ARC validation", PASSED, CASES);
}

fn zone(records: &Value) -> Value {
    let records = records.as_object().expect("texts by name");
    Value::Object(records.iter().map(|(name, text)| (name.clone(), json!({"TXT": [text]}))).collect::<Map<_, _>>())
}

async fn arc_result(judge: &Judge, case: &Value) -> &'static str {
    let message = text(&case["message"]).replace('\n', "\r\n");
    judged(judge, message.as_bytes(), "192.0.2.1", "mx.relay.test", "").await.arc
}

/// The suite leaves `cv` empty where the chain has failed.
fn due(case: &Value) -> String {
    match text(&case["cv"]) {
        "" => "fail".to_owned(),
        cv => cv.to_ascii_lowercase(),
    }
}
