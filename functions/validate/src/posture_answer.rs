//! The wire form of a posture.

use gatepost::{
    dmarc::{Alignment, Mode},
    posture::{
        BimiRecord, DkimPosture, DmarcPosture, DnssecPosture, Finding, KeyKind, MtaStsRecord, MxHost, MxPosture, Place,
        Posture, SELECTORS, SelectorKey, SpfPosture, State, TlsRptRecord,
    },
    spf::{Extent, MAX_LOOKUPS, MAX_VOID_LOOKUPS, Qualifier},
};
use serde_json::{Map, Value, json};

/// As the API and the command line answer it. `present` and `valid` are null where DNS did not say.
#[must_use]
pub fn posture_answer(posture: &Posture) -> Value {
    json!({
        "domain": posture.domain.as_str(),
        "score": posture.score.percent,
        "judged": posture.score.judged,
        "mx": mx(&posture.mx),
        "spf": place(&posture.spf, spf),
        "dkim": dkim(&posture.dkim),
        "dmarc": place(&posture.dmarc, dmarc),
        // The file that holds the policy is on a web server, and nobody but the name server is asked anything.
        "mta_sts": with(place(&posture.mta_sts, mta_sts), json!({"policy_file": "not_fetched"})),
        "tls_rpt": place(&posture.tls_rpt, tls_rpt),
        "bimi": place(&posture.bimi, bimi),
        "dnssec": dnssec(&posture.dnssec),
        "findings": posture.findings.iter().map(finding).collect::<Vec<_>>(),
    })
}

fn finding(finding: &Finding) -> Value {
    json!({
        "code": finding.code.as_str(),
        "severity": finding.code.severity().as_str(),
        "detail": finding.detail,
        "fix": finding.fix,
    })
}

/// The three members of every record, then what was read from it.
fn place<T>(place: &Place<T>, parsed: impl Fn(&T) -> Value) -> Value {
    let common = common(place.state, place.record.as_deref());
    with(common, place.parsed.as_ref().map_or(Value::Null, parsed))
}

fn common(state: State, record: Option<&str>) -> Value {
    json!({"present": state.is_present(), "valid": state.is_valid(), "record": record})
}

fn with(object: Value, more: Value) -> Value {
    let members = |value| if let Value::Object(members) = value { members } else { Map::new() };
    Value::Object(members(object).into_iter().chain(members(more)).collect())
}

fn mx(mx: &MxPosture) -> Value {
    let dotted = |host: &MxHost| format!("{} {}.", host.preference, host.name);
    let record = mx.hosts.iter().map(dotted).collect::<Vec<_>>().join("\n");
    let host = |host: &MxHost| json!({"preference": host.preference, "host": host.name, "addresses": host.addresses});
    let hosts: Vec<Value> = mx.hosts.iter().filter(|host| !host.name.is_empty()).map(host).collect();
    let common = common(mx.state, Some(record.as_str()).filter(|record| !record.is_empty()));
    with(common, json!({"null_mx": mx.is_null, "hosts": hosts}))
}

fn spf(spf: &SpfPosture) -> Value {
    json!({
        "all": spf.all.map(all),
        "includes": spf.includes,
        "redirect": spf.redirect,
        "lookups": spf.lookups,
        "max_lookups": MAX_LOOKUPS,
        "void_lookups": spf.void_lookups,
        "max_void_lookups": MAX_VOID_LOOKUPS,
        "counted": match spf.extent {
            Extent::Whole => "exactly",
            Extent::Part => "at_least",
        },
    })
}

fn all(qualifier: Qualifier) -> &'static str {
    match qualifier {
        Qualifier::Pass => "+all",
        Qualifier::Fail => "-all",
        Qualifier::SoftFail => "~all",
        Qualifier::Neutral => "?all",
    }
}

fn dkim(dkim: &DkimPosture) -> Value {
    let keys: Vec<Value> = dkim.keys.iter().map(selector_key).collect();
    let common = common(dkim.state, dkim.record.as_deref());
    with(common, json!({"selectors_tried": SELECTORS.len(), "absence": "proves_nothing", "keys": keys}))
}

fn selector_key(key: &SelectorKey) -> Value {
    let kind = key.parsed.and_then(|record| record.key);
    let (name, bits) = match kind {
        Some(KeyKind::Rsa { bits }) => (Some("rsa"), Some(bits)),
        Some(KeyKind::Ed25519) => (Some("ed25519"), None),
        None => (None, None),
    };
    json!({
        "selector": key.selector,
        "valid": key.parsed.is_some(),
        "record": key.record,
        "key_type": name,
        "rsa_bits": bits,
        "revoked": key.parsed.map(|record| record.key.is_none()),
        "testing": key.parsed.map(|record| record.is_test),
    })
}

fn dmarc(dmarc: &DmarcPosture) -> Value {
    json!({
        "policy": dmarc.policy.as_str(),
        "subdomain_policy": dmarc.subdomain_policy.as_str(),
        "nonexistent_policy": dmarc.nonexistent_policy.as_str(),
        "testing": dmarc.mode == Mode::Test,
        "dkim_alignment": alignment(dmarc.dkim_alignment),
        "spf_alignment": alignment(dmarc.spf_alignment),
        "rua": dmarc.rua,
        "ruf": dmarc.ruf,
        "inherited_from": dmarc.inherited_from,
    })
}

fn alignment(alignment: Alignment) -> &'static str {
    match alignment {
        Alignment::Relaxed => "relaxed",
        Alignment::Strict => "strict",
    }
}

fn mta_sts(record: &MtaStsRecord) -> Value {
    json!({"id": record.id})
}

fn tls_rpt(record: &TlsRptRecord) -> Value {
    json!({"rua": record.rua})
}

fn bimi(record: &BimiRecord) -> Value {
    json!({"location": record.location, "authority": record.authority})
}

/// A DS record has nothing that people read, so its place holds where it was looked for.
fn dnssec(dnssec: &DnssecPosture) -> Value {
    with(common(dnssec.state, None), json!({"zone": dnssec.zone, "validation": "not_done"}))
}
