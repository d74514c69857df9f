//! The layout fence: what the folders promise, and that README, template and code name the same things.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Command,
};

use gatepost::{anomaly::Kind, config::SETTINGS, posture, reason::ReasonCode};
use serde_json::Value;

use crate::stack::{program, root};

/// Folders whose content is made, fetched, or not ours.
const NOT_OURS: [&str; 5] = ["target", ".git", ".venv", ".aws-sam", "node_modules"];

/// A file of the project.
struct File {
    /// From the root, with `/`.
    path: String,
    text: String,
}

impl File {
    fn is_below(&self, folder: &str) -> bool {
        self.path.starts_with(&format!("{folder}/"))
    }

    fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Without its unit tests, which stand at the end.
    fn product_code(&self) -> &str {
        self.text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default()
    }
}

/// Every text file that git would track.
fn files() -> Vec<File> {
    let listed = Command::new("git")
        .current_dir(root())
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"])
        .output()
        .ok()
        .filter(|output| output.status.success());
    let paths: Vec<PathBuf> = match listed {
        Some(output) => String::from_utf8_lossy(&output.stdout).split_terminator('\0').map(PathBuf::from).collect(),
        // A source archive has no git.
        None => walked(root()),
    };
    let read = |path: PathBuf| {
        let text = std::fs::read(root().join(&path)).ok()?;
        Some(File { path: path.to_string_lossy().replace('\\', "/"), text: String::from_utf8(text).ok()? })
    };
    paths.into_iter().filter_map(read).collect()
}

fn walked(folder: &Path) -> Vec<PathBuf> {
    let entries =
        std::fs::read_dir(folder).expect("a folder of the project").map(|entry| entry.expect("readable").path());
    let ours = entries.filter(|path| !NOT_OURS.iter().any(|name| path.ends_with(name)));
    let below = ours.flat_map(|path| if path.is_dir() { walked(&path) } else { vec![path] });
    below.map(|path| path.strip_prefix(root()).map(Path::to_owned).unwrap_or(path)).collect()
}

fn product() -> Vec<File> {
    files()
        .into_iter()
        .filter(|file| file.is_rust() && (file.is_below("shared") || file.is_below("functions")))
        .collect()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Fails with every breach, not only the first.
#[track_caller]
fn none(breaches: &[String]) {
    assert!(breaches.is_empty(), "\n{}\n", breaches.join("\n"));
}

/// Lines of `text` that hold `what`, as `path:line: text`.
fn lines_with(file: &File, text: &str, what: &str) -> Vec<String> {
    let found = text.lines().enumerate().filter(|(_, line)| line.contains(what));
    found.map(|(index, line)| format!("{}:{}: {}", file.path, index + 1, line.trim())).collect()
}

#[test]
fn io_uses_nouns_and_a_noun_never_uses_io() {
    let nouns = product().into_iter().filter(|file| file.is_below("shared/src") && !file.is_below("shared/src/io"));
    let breaches = nouns.flat_map(|file| {
        // These ask DNS through a function that they are given, and otherwise turn values into values.
        let is_given_lookups = ["shared/src/spf", "shared/src/dmarc"].iter().any(|folder| file.is_below(folder));
        let awaits: &[&str] = if is_given_lookups { &[] } else { &["async fn"] };
        let breaches = ["crate::io", "super::io", "    io::{", "aws_sdk", "hickory_resolver"].iter().chain(awaits);
        breaches.flat_map(|what| lines_with(&file, file.product_code(), what)).collect::<Vec<_>>()
    });
    none(&breaches.collect::<Vec<_>>());
}

#[test]
fn a_file_is_named_for_its_noun() {
    let nouns = ["utils", "util", "helpers", "helper", "common", "types", "models", "misc"];
    let is_noun = |part: &str| !nouns.contains(&part.split('.').next().unwrap_or_default());
    let breaches = files().into_iter().filter(|file| !file.path.split('/').all(is_noun)).map(|file| file.path);
    none(&breaches.collect::<Vec<_>>());
}

#[test]
fn an_error_is_a_type_and_not_a_text() {
    let is_text = |line: &String| line.split("Result<").skip(1).any(|of| of.contains(", String>"));
    let breaches = product().into_iter().flat_map(|file| {
        let lines = lines_with(&file, file.product_code(), "Result<").into_iter();
        lines.filter(is_text).collect::<Vec<_>>()
    });
    none(&breaches.collect::<Vec<_>>());
    let with_anyhow = files().into_iter().filter(|file| file.path.ends_with("Cargo.toml"));
    none(&with_anyhow.flat_map(|file| lines_with(&file, &file.text, "anyhow")).collect::<Vec<_>>());
}

#[test]
fn a_log_tells_the_causes_of_an_error_and_not_only_its_own_words() {
    let files = product();
    let shortened = files.iter().flat_map(|file| lines_with(file, &file.text, "cause = %error"));
    none(&shortened.collect::<Vec<_>>());
}

#[test]
fn the_readme_names_every_reason_code() {
    let readme = read("README.md");
    let missing =
        ReasonCode::ALL.iter().filter(|code| !readme.contains(&format!("| `{code}` |", code = code.as_str())));
    none(&missing.map(|code| code.as_str().to_owned()).collect::<Vec<_>>());
}

#[test]
fn the_readme_names_every_finding_code() {
    let readme = read("README.md");
    let missing = finding_codes().into_iter().filter(|code| !readme.contains(&format!("| `{code}` |")));
    none(&missing.map(str::to_owned).collect::<Vec<_>>());
}

fn finding_codes() -> BTreeSet<&'static str> {
    gatepost_verify_inbound::finding_codes().collect()
}

#[test]
fn the_readme_names_every_finding_of_a_posture_with_what_it_costs() {
    let readme = read("README.md");
    let row = |code: &posture::FindingCode| {
        let (name, severity) = (code.as_str(), code.severity().as_str());
        format!("| `{name}` | {severity} | {} | {} |", code.points(), code.summary())
    };
    let rows = posture::FindingCode::ALL.iter().map(row);
    none(&rows.filter(|row| !readme.contains(row)).collect::<Vec<_>>());
}

#[test]
fn every_code_in_the_source_is_in_a_list_of_codes() {
    let known = finding_codes();
    let (mut listed, mut unlisted) = (BTreeSet::new(), BTreeSet::new());
    for file in product() {
        let code = file.product_code();
        let faults =
            ["shared/src/author_fault.rs", "shared/src/header_section.rs", "functions/verify-inbound/src/boundary.rs"];
        let marks: &[&str] = match faults.contains(&file.path.as_str()) {
            true => &["=> \"", "=> (\"", "=> {\n                (\""],
            false => &["Finding::new(\"", "Finding::new(\n", "leaf.finding(\"", "without_author(envelope, \""],
        };
        for (mark, after) in marks.iter().flat_map(|mark| code.split(mark).skip(1).map(move |after| (mark, after))) {
            let after = if mark.ends_with('\n') { after.trim_start().trim_start_matches('"') } else { after };
            let is_part = |c: &char| c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '_';
            let literal: String = after.chars().take_while(is_part).collect();
            if !after[literal.len()..].starts_with('"') {
                continue;
            }
            if known.contains(literal.as_str()) {
                listed.insert(literal);
            } else {
                unlisted.insert(format!("{}: {literal}", file.path));
            }
        }
    }
    assert!(60 < listed.len(), "the source is read: {listed:?}");
    none(&unlisted.into_iter().collect::<Vec<_>>());
}

#[test]
fn the_runbook_has_a_section_for_every_kind_of_alert_and_none_for_others() {
    let kinds: BTreeSet<String> = Kind::ALL.iter().map(|kind| kind.as_str().to_owned()).collect();
    let [of_alerts, _] = sections_of_the_runbook();
    assert_eq!(of_alerts, kinds);
}

/// Those about alerts, and those about alarms.
fn sections_of_the_runbook() -> [BTreeSet<String>; 2] {
    let runbook = read("docs/RUNBOOK.md");
    let (alerts, alarms) = runbook.split_once("\n# Alarms of the functions\n").expect("two parts");
    let titles = |part: &str| {
        let titles = part.lines().filter_map(|line| line.strip_prefix("## "));
        titles.filter(|title| *title != "Any alert").map(str::to_owned).collect()
    };
    [titles(alerts), titles(alarms)]
}

#[test]
fn every_alarm_watches_a_metric_that_there_is_tells_somebody_and_has_a_section_in_the_runbook() {
    let template = read("template.yaml");
    let alarms: Vec<&str> = template.split("    Type: AWS::CloudWatch::Alarm\n").skip(1).collect();
    let ours: BTreeSet<&str> =
        gatepost::metric::EVENTS.iter().flat_map(|event| event.metrics).map(|(name, _)| *name).collect();
    let mut names = BTreeSet::new();
    for alarm in alarms {
        let alarm = alarm.split("\n\n").next().unwrap_or_default();
        let value = |key: &str| alarm.lines().find_map(|line| line.trim().strip_prefix(key)).map(str::trim);
        let name = value("AlarmName: !Sub ${AWS::StackName}-").expect("a name");
        if value("Namespace:") == Some(gatepost::metric::NAMESPACE) {
            let metric = value("MetricName:").expect("a metric");
            assert!(ours.contains(metric), "{name}: nothing says {metric}");
        }
        assert!(
            alarm.contains("AlarmActions: [!Ref AlarmTopic]") && alarm.contains("OKActions: [!Ref AlarmTopic]"),
            "{name}"
        );
        names.insert(name.to_owned());
    }
    let [_, sections] = sections_of_the_runbook();
    assert!(8 <= names.len(), "{names:?}");
    assert_eq!(sections, names);
}

#[test]
fn the_dashboard_shows_metrics_that_there_are_and_all_of_them() {
    let template = read("template.yaml");
    let (_, body) = template.split_once("      DashboardBody: !Sub |\n").expect("a dashboard");
    let body = body.split("\n\n").next().unwrap_or_default();
    let dashboard: Value = serde_json::from_str(body).expect("JSON");
    let shown = dashboard["widgets"].to_string();
    let ours = gatepost::metric::EVENTS.iter().flat_map(|event| event.metrics).map(|(name, _)| *name);
    let unseen =
        ours.filter(|name| !shown.contains(&format!("\"{name}\"")) && !shown.contains(&format!("=\\\"{name}\\\"")));
    none(&unseen.map(|name| format!("{name} is on no chart")).collect::<Vec<_>>());
    let mut words = shown.split("\"gatepost\",\"").skip(1).filter_map(|rest| rest.split('"').next());
    let known: BTreeSet<&str> =
        gatepost::metric::EVENTS.iter().flat_map(|event| event.metrics).map(|(name, _)| *name).collect();
    assert!(words.all(|word| known.contains(word)), "{shown}");
}

#[test]
fn the_readme_names_every_setting_and_its_default() {
    let readme = read("README.md");
    let row = |variable: &str, default: &str| match default {
        "" => format!("| `{variable}` | none |"),
        _ => format!("| `{variable}` | `{default}` |"),
    };
    let rows = SETTINGS.iter().map(|setting| row(setting.variable, setting.default));
    none(&rows.filter(|row| !readme.contains(row)).collect::<Vec<_>>());
    none(&foreign_settings(&readme));
}

/// What looks like a setting and is none.
fn foreign_settings(text: &str) -> Vec<String> {
    let words =
        text.split(|c: char| !(c.is_ascii_uppercase() || c == '_')).filter(|word| word.starts_with("GATEPOST_"));
    let foreign = words.filter(|word| !SETTINGS.iter().any(|setting| setting.variable == *word));
    foreign.map(str::to_owned).collect()
}

#[test]
fn the_readme_names_every_command() {
    let readme = read("README.md");
    let help = Command::new(program("gatepost")).arg("--help").output().expect("the program starts");
    let help = String::from_utf8(help.stdout).expect("UTF-8");
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let commands: Vec<&str> =
        listed.filter_map(|line| line.split_whitespace().next()).filter(|c| *c != "help").collect();
    assert!(commands.contains(&"serve"), "{help}");
    none(
        &commands
            .iter()
            .filter(|c| !readme.contains(&format!("| `{c}` |")))
            .map(ToString::to_string)
            .collect::<Vec<_>>(),
    );
    let (_, table) = readme.split_once("| command | what it does |\n|---|---|\n").expect("a table of commands");
    let rows = table.lines().take_while(|line| line.starts_with('|'));
    let documented = rows.filter_map(|row| row.split('`').nth(1));
    none(&documented.filter(|c| !commands.contains(c)).map(|c| format!("there is no {c}")).collect::<Vec<_>>());
}

#[test]
fn the_template_deploys_every_function_and_knows_only_real_settings() {
    let template = read("template.yaml");
    let values = |name: &str| -> BTreeSet<String> {
        let lines = template.lines().filter_map(|line| line.trim().strip_prefix(name));
        lines.map(|value| value.trim().trim_start_matches("functions/").to_owned()).collect()
    };
    let folders = std::fs::read_dir(root().join("functions")).expect("there are functions");
    let names = folders.map(|folder| folder.expect("readable").file_name().to_string_lossy().into_owned());
    let functions: BTreeSet<String> = names.filter(|name| name != "local").collect();
    assert_eq!(values("CodeUri:"), functions);
    assert_eq!(values("Binary:"), functions);
    none(&foreign_settings(&template));
    let unset = SETTINGS.iter().filter(|setting| !template.contains(&format!("{}:", setting.variable)));
    none(&unset.map(|setting| format!("no function is given {}", setting.variable)).collect::<Vec<_>>());
}

#[test]
fn no_name_of_a_test_case_occurs_in_the_product() {
    let names = names_of_cases();
    assert!(names.contains("bookshop.example") && names.contains("hosed2.example.com"), "the data is read");
    let mut breaches = Vec::new();
    for file in product() {
        let code = file.product_code();
        breaches.extend(
            names.iter().filter(|name| code.contains(name.as_str())).map(|name| format!("{}: {name}", file.path)),
        );
    }
    none(&breaches);
}

/// Domains of test zones, names of examples, and of the adversarial cases where they are. Without those that are anybody's
/// example, and the receiver that the local stack plays.
fn names_of_cases() -> BTreeSet<String> {
    let anybodys = ["example.com", "example.net", "example.org", "mail.example.com", "receiver.example"];
    let data = files().into_iter().filter(|file| file.is_below("tests/data") && file.path.ends_with(".json"));
    let mut names: BTreeSet<String> = data
        .filter_map(|file| serde_json::from_str(&file.text).ok())
        .flat_map(|data: Value| zone_names(&data))
        .collect();
    let zone = read("events/dns.zone");
    let owners = zone.lines().filter(|line| line.contains(" IN ")).filter_map(|line| line.split(". ").next());
    let loopback_and_hosts = zone.split("; --- the receiver").next().unwrap_or_default();
    names.extend(owners.filter(|owner| !loopback_and_hosts.contains(owner)).map(str::to_owned));
    if let Ok(cases) = std::fs::read_dir(root().join("../shared/data/adversarial/dev")) {
        names.extend(cases.map(|case| case.expect("readable").file_name().to_string_lossy().into_owned()));
    } else {
        eprintln!("skipped: the adversarial cases are not beside this project (../shared/data/adversarial)");
    }
    names.retain(|name| 8 < name.len() && name.contains(['.', '-']) && !anybodys.contains(&name.as_str()));
    names
}

/// The names of all zones in the data, wherever they are.
fn zone_names(data: &Value) -> Vec<String> {
    match data {
        Value::Object(map) => {
            let zones = ["zone", "txt-records"].iter().filter_map(|name| map.get(*name)?.as_object());
            let owners: Vec<String> = zones.flat_map(|zone| zone.keys().cloned()).collect();
            owners.into_iter().chain(map.values().flat_map(zone_names)).collect()
        }
        Value::Array(items) => items.iter().flat_map(zone_names).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn every_example_message_has_its_facts_beside_it() {
    let stems = |extension: &str| -> BTreeSet<String> {
        let of = files().into_iter().filter(|file| file.is_below("events/messages")).map(|file| file.path);
        of.filter_map(|path| path.strip_suffix(extension).map(str::to_owned)).collect()
    };
    let messages = stems(".eml");
    assert!(4 <= messages.len(), "{messages:?}");
    assert_eq!(messages, stems(".json"));
}

#[test]
fn no_file_names_a_folder_of_some_machine() {
    // In two parts, since this is a file too.
    let folders =
        [["/wo", "rk/"], ["/ro", "ot/"], ["/ho", "me/"], ["/Us", "ers/"], ["/tm", "p/"]].map(|parts| parts.concat());
    let breaches = files()
        .into_iter()
        .flat_map(|file| folders.iter().flat_map(|folder| lines_with(&file, &file.text, folder)).collect::<Vec<_>>());
    none(&breaches.collect::<Vec<_>>());
}
