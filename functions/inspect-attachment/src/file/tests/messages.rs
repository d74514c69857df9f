//! Messages that are files: saved, packed, signed, and in the form of Outlook.

use super::{ADDRESS, PROGRAM, all, build::*, links, strict, survives_damage};

const REJECTED: &[&str] = &["reject executable_attachment"];

/// A message with a link and a program.
fn message() -> Vec<u8> {
    let head = format!(
        "From: ann@example.com\r\nSubject: a\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n{ADDRESS}\r\n--b\r\nContent-Type: application/octet-stream; name=photo.jpg\r\n\r\n"
    );
    [head.as_bytes(), PROGRAM, b"\r\n--b--\r\n"].concat()
}

/// An element of DER.
fn element(tag: u8, content: &[&[u8]]) -> Vec<u8> {
    let content = content.concat();
    let length = u16::try_from(content.len()).expect("small").to_be_bytes();
    [&[tag, 0x82][..], &length, &content].concat()
}

/// An element that ends where it says so.
fn open_element(tag: u8, content: &[&[u8]]) -> Vec<u8> {
    [&[tag, 0x80][..], &content.concat(), &[0, 0]].concat()
}

fn identifier(last: u8) -> Vec<u8> {
    [&b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07"[..], &[last]].concat()
}

fn signed(content: &[u8], element: impl Fn(u8, &[&[u8]]) -> Vec<u8>) -> Vec<u8> {
    let inner = element(0x30, &[&identifier(1), &element(0xa0, &[content])]);
    let data = element(0x30, &[b"\x02\x01\x01", &element(0x31, &[]), &inner]);
    element(0x30, &[&identifier(2), &element(0xa0, &[&data])])
}

/// `winmail.dat` of such attributes: level, number, data.
fn winmail(attributes: &[(u8, u32, &[u8])]) -> Vec<u8> {
    let mut file = b"\x78\x9f\x3e\x22\x01\0".to_vec();
    for (level, id, data) in attributes {
        file.extend([&[*level][..], &id.to_le_bytes(), &little(data.len()), data, &[0, 0]].concat());
    }
    file
}

/// A list of properties that have a length: type and number, value.
fn properties(values: &[(u32, &[u8])]) -> Vec<u8> {
    let mut list = little(values.len()).to_vec();
    for (tag, value) in values {
        let mut padded = value.to_vec();
        padded.resize(value.len().next_multiple_of(4), 0);
        list.extend([&tag.to_le_bytes()[..], &little(1), &little(value.len()), &padded].concat());
    }
    list
}

#[test]
fn a_message_is_judged_wherever_it_lies() {
    let part = [b"Content-Type: application/octet-stream; name=a.js\r\n\r\n", &b"hello"[..]].concat();
    for (name, content, expected) in [
        ("a.eml", message(), REJECTED),
        ("", message(), REJECTED),
        ("message.dat", message(), REJECTED),
        ("a.zip", zip(&[("a.eml", &message())]), REJECTED),
        ("a.gz", gzip(&message()), REJECTED),
        ("a.eml", part, &["quarantine script_attachment"]),
    ] {
        assert_eq!(strict(name, &content), expected, "{name}");
        survives_damage(name, &content);
    }
    assert_eq!(links("a.dat", &message()), [ADDRESS]);
    assert_eq!(all("a.txt", &message()), [""; 0], "a text is opened as a text");
    assert_eq!(all("a.txt", b"Note: hello\r\nDate: today\r\n\r\nFrom here on it is a text."), [""; 0]);
}

#[test]
fn what_is_signed_is_taken_out_and_judged() {
    let whole = message();
    let (first, second) = whole.split_at(100);
    let string = element(4, &[&whole]);
    let pieces = open_element(0x24, &[&element(4, &[first]), &element(4, &[second])]);
    let nested = open_element(0x24, &[&element(0x24, &[&element(4, &[first])]), &element(4, &[second])]);
    for (name, content, expected) in [
        ("smime.p7m", signed(&string, element), REJECTED),
        ("", signed(&string, element), REJECTED),
        ("smime.p7m", signed(&pieces, open_element), REJECTED),
        ("smime.p7m", signed(&nested, open_element), REJECTED),
        ("contract.pdf.p7m", signed(&element(4, &[PROGRAM]), element), REJECTED),
        ("contract.js.p7m", signed(&element(4, &[b"hello"]), element), &["quarantine script_attachment"]),
        ("smime.p7s", signed(b"", element), &[]),
    ] {
        assert_eq!(strict(name, &content), expected, "{name}");
        survives_damage(name, &content);
    }
    assert_eq!(links("smime.p7m", &signed(&string, element)), [ADDRESS]);
    let encrypted = element(0x30, &[&identifier(3), &element(0xa0, &[b"\x30\0"])]);
    assert_eq!(all("smime.p7m", &encrypted), ["review encrypted_document"]);
}

#[test]
fn a_message_of_outlook_in_one_file_leads_to_what_it_carries() {
    let begins = (2, 0x0006_9002, &[0; 14][..]);
    let named = properties(&[(0x3707_001e, b"photo.jpg\0"), (0x3701_0102, PROGRAM)]);
    let inner = winmail(&[begins, (2, 0x0001_8010, b"run.vbs\0"), (2, 0x0006_800f, b"hello")]);
    let object = [&[7; 16][..], &inner].concat();
    let nested = properties(&[(0x3701_000d, &object)]);
    let html = format!("<a href={ADDRESS}>a</a>");
    let body = properties(&[(0x1013_0102, html.as_bytes())]);
    let rich = format!("{{\\rtf1{{\\*\\template {ADDRESS}}}}}");
    let rich = [&little(rich.len() + 12)[..], &little(rich.len()), b"MELA", &[0; 4], rich.as_bytes()].concat();
    for (file, expected) in [
        (winmail(&[begins, (2, 0x0001_8010, b"photo.jpg\0"), (2, 0x0006_800f, PROGRAM)]), REJECTED),
        (winmail(&[begins, (2, 0x0006_9005, &named)]), REJECTED),
        (inner.clone(), &["quarantine script_attachment"]),
        (winmail(&[begins, (2, 0x0006_9005, &nested)]), &["quarantine script_attachment"]),
        (winmail(&[(1, 0x0006_9003, &properties(&[(0x1009_0102, &rich)]))]), &["quarantine remote_template"]),
        (winmail(&[begins, (2, 0x0001_8010, b"a.txt\0"), (2, 0x0006_800f, b"hello")]), &[]),
    ] {
        assert_eq!(strict("winmail.dat", &file), expected);
        survives_damage("winmail.dat", &file);
    }
    assert_eq!(links("winmail.dat", &winmail(&[(1, 0x0006_9003, &body)])), [ADDRESS]);
}

/// The example of [MS-OXRTFCP] §3.2.1.
#[test]
fn rich_text_of_outlook_is_unpacked() {
    let packed = b"\x2d\0\0\0\x2b\0\0\0\x4c\x5a\x46\x75\xf1\xc5\xc7\xa7\x03\0\x0a\0\x72\x63\x70\x67\x31\x32\x35\x42\x32\x0a\xf3\x20\x68\x65\x6c\x09\0\x20\x62\x77\x05\xb0\x6c\x64\x7d\x0a\x80\x0f\xa0";
    let text = crate::file::office::compressed_rtf::unpack(packed, &mut crate::file::budget::Budget::default());
    assert_eq!(text.as_deref(), Ok(&b"{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n"[..]));
}

/// Whoever reads on further than we do would see what we have not seen.
#[test]
fn what_is_behind_more_elements_than_are_read_is_told() {
    let many = [b"\x04\0".repeat(100_001), element(4, &[PROGRAM])].concat();
    let deep = (0..20).fold(element(4, &[PROGRAM]), |inner, _| open_element(0x24, &[&inner]));
    for content in [open_element(0x24, &[&many]), deep] {
        assert_eq!(strict("smime.p7m", &signed(&content, open_element)), ["quarantine archive_limit_exceeded"]);
    }
}

#[test]
fn what_is_behind_more_properties_than_are_read_is_told() {
    let mut values: Vec<(u32, &[u8])> = vec![(0x3705_001e, b"a"); 10_001];
    values.push((0x3701_0102, PROGRAM));
    let several = [&little(1)[..], &0x3705_1003_u32.to_le_bytes(), &little(20_000), &[0; 80_000]].concat();
    for list in [properties(&values), several] {
        let file = winmail(&[(2, 0x0006_9002, b""), (2, 0x0006_9005, &list)]);
        assert_eq!(strict("winmail.dat", &file), ["quarantine archive_limit_exceeded"]);
    }
}
