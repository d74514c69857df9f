//! OCSF events against the schema, as far as that goes without a network: classes, objects, enumerations, required and unknown
//! attributes. `tests/ocsf/run.sh` validates the same events against the whole schema.

use std::{collections::BTreeSet, io::Write};

use gatepost::{
    alert::{Alert, Sources},
    alert_group::{Gathering, Sizes},
    anomaly::{Channel, Judgement, Kind, Reading, State, step},
    bucket::Bucket,
    disposition::Disposition,
    ocsf::{JudgedMessage, RefusedCaller},
};
use serde_json::{Value, json};

use crate::stack::root;

fn schema(class: &str) -> Value {
    let path = root().join(format!("tests/data/ocsf/{class}.json"));
    serde_json::from_str(&std::fs::read_to_string(path).expect("the schema is there")).expect("JSON")
}

/// Every breach of a schema in `value`, with its place.
fn breaches(value: &Value, rule: &Value, objects: &Value, place: &str) -> Vec<String> {
    if let Some(name) = rule["$ref"].as_str() {
        return breaches(value, &objects[name], objects, place);
    }
    let mut found = Vec::new();
    if !is_of_type(value, &rule["type"]) {
        found.push(format!("{place}: {value} is not of type {}", rule["type"]));
    }
    if rule["enum"].as_array().is_some_and(|allowed| !allowed.contains(value)) {
        found.push(format!("{place}: {value} is none of {}", rule["enum"]));
    }
    if let Some(items) = value.as_array().filter(|_| rule["items"].is_object()) {
        found.extend(items.iter().flat_map(|item| breaches(item, &rule["items"], objects, &format!("{place}[]"))));
    }
    if let (Some(members), Some(properties)) = (value.as_object(), rule["properties"].as_object()) {
        let required = rule["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
        found.extend(required.filter(|name| !members.contains_key(*name)).map(|name| format!("{place}: no {name}")));
        let has_any = |choice: &Value| {
            choice["required"]
                .as_array()
                .is_some_and(|all| all.iter().all(|name| members.contains_key(name.as_str().unwrap_or_default())))
        };
        if rule["anyOf"].as_array().is_some_and(|choices| !choices.iter().any(has_any)) {
            found.push(format!("{place}: none of {}", rule["anyOf"]));
        }
        for (name, member) in members {
            let at = format!("{place}.{name}");
            found.extend(
                properties
                    .get(name)
                    .map_or_else(|| vec![format!("{at}: unknown")], |rule| breaches(member, rule, objects, &at)),
            );
        }
    }
    found
}

fn is_of_type(value: &Value, wanted: &Value) -> bool {
    let is = |wanted: &str| match wanted {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        _ => false,
    };
    match wanted {
        Value::String(wanted) => is(wanted),
        Value::Array(any) => any.iter().filter_map(Value::as_str).any(is),
        _ => true,
    }
}

#[track_caller]
fn expect_valid(class: &str, event: &Value) {
    let schema = schema(class);
    let found = breaches(event, &schema, &schema["objects"], class);
    assert!(found.is_empty(), "{found:#?} in {event:#}");
    keep(event);
}

/// For whoever validates against the whole schema.
#[expect(clippy::disallowed_methods, reason = "a script asks for it")]
fn keep(event: &Value) {
    if let Ok(path) = std::env::var("OCSF_EVENTS") {
        let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
        file.and_then(|mut file| file.write_all(format!("{event}\n").as_bytes())).expect("written");
    }
}

fn alert(state: State) -> Alert {
    alert_of(Kind::Flood, state)
}

fn alert_of(kind: Kind, state: State) -> Alert {
    let reading = |channel, kind| Reading { channel, kind, expected: 12.25, actual: 512.0, z: 30.0, score: 0.9 };
    let readings = vec![reading(Channel::Total, kind), reading(Channel::AuthFail, Kind::AuthFailSurge)];
    let bucket = Bucket::parse("2026-11-23T02:10").expect("a time");
    let names = ["signup/k1", "signup/k2"];
    let judgement = Judgement { readings };
    let events = names.map(|name| step(None, name, &judgement, bucket).event.expect("opens"));
    let mut gathering = Gathering::default();
    gathering.take(&names.into_iter().zip(&events).collect::<Vec<_>>(), &Sizes::default());
    let group = gathering.groups.into_values().next().expect("a group");
    let domains = vec![("throwaway.example".to_owned(), 400)];
    let sources = Sources { domains, networks: vec![("203.0.113.0/24".to_owned(), 512)], total: 512 };
    Alert::new(&group, state, bucket, events.first(), &sources, Vec::new())
}

#[test]
fn every_alert_is_a_valid_ocsf_detection_finding() {
    for (state, activity, type_uid) in
        [(State::Opened, 1, 200_401), (State::Updated, 2, 200_402), (State::Closed, 3, 200_403)]
    {
        let event = alert(state).finding();
        expect_valid("detection_finding", &event);
        assert_eq!(json!([event["activity_id"], event["type_uid"]]), json!([activity, type_uid]));
        assert_eq!(event["metadata"]["uid"], alert(state).dedup_id());
        assert_eq!(event["severity_id"], 5);
    }
}

#[test]
fn a_judged_message_is_a_valid_ocsf_email_activity_without_a_local_part() {
    for (disposition, from_domain) in [
        (Disposition::Deliver, Some("example.com")),
        (Disposition::Defer, None),
        (Disposition::Quarantine, Some("xn--bcher-kva.example")),
        (Disposition::Reject, Some("not a domain\"")),
    ] {
        let message = JudgedMessage {
            message_id: "m1",
            from_domain,
            to_domain: Some("receiver.example"),
            spf: "pass",
            dkim: "none",
            dmarc: "fail",
            policy: Some("reject"),
            disposition,
            findings: &["dmarc_fail"],
            time_ms: 1_795_399_800_000,
        };
        let event = message.event();
        expect_valid("email_activity", &event);
        let from = event["email"]["from"].as_str().expect("a text");
        assert!(from.starts_with("withheld@") && !from.contains(['"', ' ']), "{from}");
    }
}

#[test]
fn an_alert_of_each_kind_is_a_valid_ocsf_detection_finding_of_its_own() {
    let title = |kind| {
        let event = alert_of(kind, State::Opened).finding();
        expect_valid("detection_finding", &event);
        event["finding_info"]["title"].to_string()
    };
    let titles: BTreeSet<String> = Kind::ALL.into_iter().map(title).collect();
    assert_eq!(titles.len(), Kind::ALL.len(), "{titles:?}");
}

#[test]
fn a_refused_caller_is_a_valid_ocsf_authentication() {
    let refused = RefusedCaller { request_id: "r1", caller: "unknown", reason: "unauthenticated", time_ms: 1 };
    expect_valid("authentication", &refused.event());
}

#[test]
fn the_schema_refuses_a_missing_an_unknown_and_a_wrong_ocsf_attribute() {
    let schema = schema("detection_finding");
    let faults = |change: fn(&mut Value)| {
        let mut event = alert(State::Opened).finding();
        change(&mut event);
        breaches(&event, &schema, &schema["objects"], "event")
    };
    for (change, told) in [
        (
            (|event| drop(event["finding_info"].as_object_mut().and_then(|info| info.remove("uid")))) as fn(&mut Value),
            "event.finding_info: no uid",
        ),
        (|event| event["surprise"] = json!(1), "event.surprise: unknown"),
        (|event| event["metadata"]["surprise"] = json!(1), "event.metadata.surprise: unknown"),
        (|event| event["severity_id"] = json!(7), "event.severity_id: 7 is none of"),
        (|event| event["time"] = json!("now"), "event.time: \"now\" is not of type"),
    ] {
        let found = faults(change);
        assert!(found.len() == 1 && found[0].starts_with(told), "{told}: {found:?}");
    }
}
