//! PDF files in which many places refer to the same: what would be read again for each of them is counted.

use super::{build::*, inspected};

const GIVEN_UP: &str = "the file refers to the same again and again, by more than 32 MB";

/// Details of what is found.
fn details(file: &[u8]) -> Vec<String> {
    inspected("a.pdf", file).findings.into_iter().map(|finding| finding.detail).collect()
}

#[test]
fn what_many_places_refer_to_is_not_read_for_each() {
    let long = format!("({})", "a ".repeat(500_000));
    let many = |what: &str| format!("<<{}>>", what.repeat(100_000));
    let list = format!("[{}]", "9 0 R ".repeat(100_000));
    let actions = format!("<<{}>>", "/O 9 0 R".repeat(100_000));
    for (what, objects) in [
        ("scripts", [&many("/S/JavaScript/JS 2 0 R")[..], &long]),
        ("names", [&format!("<</UF{long}{}>>", "/EF 2 0 R".repeat(1_000)), "<</F 9 0 R>>"]),
        ("files", [&many("/EF 2 0 R"), &list]),
        ("a dictionary of files", [&many("/RF 2 0 R"), &format!("<<{}>>", "/F 9 0 R".repeat(100_000))]),
        ("holders", [&many("/F(a)/EF 2 0 R"), "<</F 9 0 R>>"]),
        ("forms", [&many("/XFA 2 0 R"), &list]),
        ("additional actions", [&many("/AA 2 0 R"), &actions]),
        ("shares", [&many("/S/GoToR/F 2 0 R"), &long]),
    ] {
        let objects = objects.map(str::as_bytes);
        let found = details(&pdf(&objects));
        assert!(found.iter().any(|detail| detail == GIVEN_UP), "{what}: {found:?}");
    }
}

#[test]
fn parameters_of_many_streams_are_not_read_for_each() {
    let parameters = format!("<<{}>>", "/A 1".repeat(100_000));
    let streams = stream("/Filter/FlateDecode/DecodeParms 1 0 R", b"x");
    let objects: Vec<&[u8]> =
        std::iter::once(parameters.as_bytes()).chain(std::iter::repeat_n(&streams[..], 500)).collect();
    assert_eq!(details(&pdf(&objects)), [GIVEN_UP]);
}

/// Each stream would ask for all of the list, and each address for all of the text.
#[test]
fn lists_of_filters_and_addresses_are_read_as_far_as_they_count() {
    let filters = format!("[{}]", "/FlateDecode".repeat(200_000));
    let streams = stream("/Filter 1 0 R", b"x");
    let objects: Vec<&[u8]> =
        std::iter::once(filters.as_bytes()).chain(std::iter::repeat_n(&streams[..], 5_000)).collect();
    assert_eq!(details(&pdf(&objects)), [""; 0]);
    let long = format!("(https://a.example/{})", "a".repeat(1_000_000));
    let addresses = format!("<<{}>>", "/URI 2 0 R".repeat(100_000));
    let file = pdf(&[addresses.as_bytes(), long.as_bytes()]);
    assert_eq!(inspected("a.pdf", &file).links.len(), 1);
}

/// Streams whose end is sought from places that go back and forth.
#[test]
fn the_end_of_a_stream_is_not_sought_again_and_again() {
    let block = format!("1 0 obj<</A(2 0 obj<<>>stream{})>>stream ", "a".repeat(300));
    let file = [&b"%PDF-1.4\n"[..], &block.repeat(10_000).into_bytes()].concat();
    let found = details(&file);
    assert!(found.iter().all(|detail| detail == "the file has more objects than are looked at"), "{found:?}");
}

/// A form whose thousand fields run one script, and a file of many names, are ordinary.
#[test]
fn what_honest_files_refer_to_is_within_the_limit() {
    let fields = "<</FT/Tx/AA<</K 2 0 R>>>>".repeat(1_000);
    let script = format!("<</S/JavaScript/JS({})>>", "AFNumber_Keystroke\\(2, 0, 0\\);".repeat(200));
    let file = pdf(&[format!("[{fields}]").as_bytes(), script.as_bytes()]);
    assert_eq!(details(&file), [""; 0]);
}
