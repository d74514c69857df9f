//! What honest people send has no finding worth a look.

use super::{PROGRAM, all, build::*};
use crate::file::{File, Role, budget::Budget, inspect_file};

#[test]
fn honest_files_have_no_finding() {
    let photo = [b"\xff\xd8\xff\xe0", &[7; 400][..]].concat();
    let apple = [b"\0\x05\x16\x07\0\x02\0\0Mac OS X", &[0; 100][..]].concat();
    let photos = zip(&[
        ("holiday/", b""),
        ("holiday/1.jpg", &photo),
        ("holiday/2.jpg", &photo),
        ("__MACOSX/holiday/._1.jpg", &apple),
    ]);
    let rels = b"<Relationships><Relationship Type=\"http://x/hyperlink\" Target=\"https://www.example.com\" TargetMode=\"External\"/><Relationship Type=\"http://x/image\" Target=\"media/a.png\"/></Relationships>";
    let types: (&str, &[u8]) = ("[Content_Types].xml", b"<Types/>");
    let document = zip(&[
        types,
        ("word/document.xml", b"<w:t>macros and passwords</w:t>"),
        ("word/_rels/document.xml.rels", rels),
        ("word/fontTable.xml", b"<w/>"),
    ]);
    let sheet = zip(&[
        types,
        ("xl/workbook.xml", b"<w/>"),
        ("xl/printerSettings/printerSettings1.bin", b"x"),
        ("xl/worksheets/sheet1.bin", b"x"),
    ]);
    let logo =
        b"<?xml version='1.0'?><!DOCTYPE svg PUBLIC 'a' 'b'><svg><style>.a{fill:url(#b)}</style><path d='M0 0'/></svg>";
    let signed = pdf(&[
        b"<</Type/Catalog/AcroForm<</SigFlags 3/Fields[2 0 R]>>/Perms<</DocMDP 3 0 R>>>>",
        b"<</FT/Sig/V 3 0 R>>",
        b"<</Type/Sig/Filter/Adobe.PPKLite/Contents<00ff>/ByteRange[0 1 2 3]>>",
    ]);
    for (name, content) in [
        ("photos.zip", &photos[..]),
        ("letter.docx", &document),
        ("numbers.xlsx", &sheet),
        ("numbers.xlsb", &sheet),
        ("logo.svg", logo),
        ("signed.pdf", &signed),
        ("old.doc", &compound(&[("WordDocument", &[0; 64]), ("1Table", &[0; 64])])),
        ("notes.rtf", b"{\\rtf1\\ansi{\\fonttbl{\\f0 Arial;}}Hello \\b Ann\\b0 .}"),
        ("invite.ics", b"BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nEND:VCALENDAR\r\n"),
        ("notes.txt", b"The password is in the letter. <script> is a tag. cmd.exe | more!"),
        ("numbers.csv", b"name,amount\r\nAnn,-5\r\nBob,+7\r\n"),
        ("backup.tar.gz", &gzip(&tar(&[("notes.txt", b"hello")]))),
        ("notes.7z", &seven_zip("notes.txt", b"hello")),
        ("page.html", b"<!DOCTYPE html><html><a href='https://www.example.com'>x</a>"),
        (
            "template.odt",
            &zip(&[("mimetype", b""), ("content.xml", b"<a/>"), ("Basic/Standard/script-lb.xml", b"<l/>")]),
        ),
    ] {
        assert_eq!(all(name, content), [""; 0], "{name}");
    }
}

#[test]
fn the_text_of_a_message_runs_nothing() {
    let judged = |content: &[u8]| {
        let file = File { location: "1", names: &[], declared: "text/html", content, role: Role::Body };
        let found = inspect_file(&file, &mut Budget::default()).findings;
        found.into_iter().map(|finding| finding.code.into_owned()).collect::<Vec<_>>()
    };
    assert_eq!(judged(b"<html><script>eval(atob('YQ=='))</script><input type=password>"), [""; 0]);
    assert_eq!(judged(b"#!/bin/sh is the first line"), [""; 0]);
    assert_eq!(judged(PROGRAM), ["executable_attachment"]);
}
