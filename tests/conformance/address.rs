//! Addresses that other projects test with, misspelt domains, and domains that are nobody's misspelling.

use gatepost::{
    address::{Domain, examine, suggest_domain},
    domain_list::DomainList,
};
use serde_json::Value;

use super::{Score, text};
use crate::{command_line::answer, stack::root};

const ADDRESSES: usize = 440;
const RECALLED: usize = 131;

/// Of real domains, no more than so many in a thousand may be taken for a misspelling.
const SUGGESTED_PER_MILLE: usize = 3;

fn file(name: &str) -> String {
    let path = root().join("tests/data/address").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn rows(name: &str) -> Vec<Value> {
    file(name).lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}"))).collect()
}

/// None for what is no domain: a caller is told so, and nothing is guessed.
fn suggestion(domain: &str, list: &DomainList) -> Option<String> {
    let domain = Domain::parse(domain).ok()?;
    let meant = suggest_domain(&domain, list.find(&domain), list)?;
    Some(meant.as_str().to_owned())
}

/// A row that is disputed says null, and is not scored.
#[test]
fn addresses_of_other_test_suites_are_taken_or_refused_as_a_sign_up_should() {
    let mut score = Score::default();
    let mut rows = rows("addresses.jsonl");
    rows.retain(|row| !row["valid_for_signup"].is_null());
    for row in &rows {
        let examination = examine(text(&row["address"]));
        let is_as_due = row["valid_for_signup"] == examination.form_accepted();
        let codes: Vec<&str> = examination.findings.iter().map(|reason| reason.code.as_str()).collect();
        let fault = || format!("{} was expected, found {codes:?}, of {}", row["valid_for_signup"], row["sources"]);
        score.add(&row["address"].to_string(), &if is_as_due { Vec::new() } else { vec![fault()] });
    }
    score.expect("addresses", ADDRESSES, rows.len());
    assert!(rows.len() * 995 <= 1_000 * score.passed, "{} of {}", score.passed, rows.len());
}

#[test]
fn misspelt_domains_are_mended_and_never_into_another_one() {
    let list = DomainList::embedded();
    let (rows, mut wrong) = (rows("typos.jsonl"), Vec::new());
    let (mut recall, mut due) = (Score::default(), 0);
    for row in &rows {
        let (domain, expected) = (text(&row["domain"]), row["expected"].as_str());
        let found = suggestion(domain, &list);
        if found.is_some() && found.as_deref() != expected {
            wrong.push(format!("{domain}: {found:?} instead of {expected:?}"));
        }
        if let Some(expected) = expected {
            due += 1;
            let missed = found.is_none().then(|| format!("{expected} was not suggested"));
            recall.add(domain, &missed.into_iter().collect::<Vec<_>>());
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    recall.expect("misspelt domains", RECALLED, due);
    assert!(due * 85 <= 100 * recall.passed, "{} of {due}", recall.passed);
}

#[test]
fn domains_of_real_providers_are_hardly_ever_called_misspelt() {
    let (list, file) = (DomainList::embedded(), file("provider-domains.txt"));
    let domains: Vec<&str> = file.lines().collect();
    let suggested: Vec<String> =
        domains.iter().filter_map(|domain| Some(format!("{domain}: {}", suggestion(domain, &list)?))).collect();
    println!("real domains: {} of {} called misspelt\n{}", suggested.len(), domains.len(), suggested.join("\n"));
    assert!(1_000 * suggested.len() <= SUGGESTED_PER_MILLE * domains.len(), "{suggested:?}");
}

/// Other libraries take them all: `tests/bench/address/run.sh` shows it.
#[test]
fn the_well_formed_addresses_of_the_readme_are_judged_as_it_says() {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("a README");
    for (address, code) in [
        ("ann@gmial.com", "likely_typo"),
        ("ann@mailinator.com", "disposable_domain"),
        ("ann@paypa1.com", "look_alike_domain"),
        ("ann@xn--pple-43d.com", "homograph_domain"),
        ("x'or'1'='1@gmail.com", "injection_pattern"),
    ] {
        let answer = answer(&["address", "--offline", "-"], address.as_bytes());
        assert_eq!(answer["reasons"][0]["code"], code, "{address}");
        let row = readme.lines().find(|line| line.starts_with("| `") && line.contains(&format!("`{address}`")));
        assert!(row.is_some_and(|row| row.contains(&format!("`{code}`"))), "{address}: {row:?}");
    }
}
