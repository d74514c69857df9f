//! What a document says in its own text of what lies elsewhere.

use super::{all, build::*, links, strict};

fn text(body: &str) -> Vec<u8> {
    let document = format!("<w:document>{body}</w:document>");
    zip(&[("[Content_Types].xml", b"<Types/>"), ("word/document.xml", document.as_bytes())])
}

fn field(instruction: &str) -> String {
    format!(
        "<w:fldChar w:fldCharType=\"begin\"/><w:instrText>{instruction}</w:instrText><w:fldChar w:fldCharType=\"end\"/>"
    )
}

#[test]
fn a_field_that_loads_from_elsewhere_is_found() {
    let pieces = "<w:r><w:instrText>INCLUDE</w:instrText></w:r><w:r><w:instrText>TEXT \"https://a.example/b\"</w:instrText></w:r>";
    for body in [
        field("INCLUDEPICTURE \"\\\\\\\\192.0.2.7\\\\a\" \\d"),
        field("LINK Word.Document.8 &quot;https://a.example/b&quot;"),
        format!("<w:fldChar w:fldCharType=\"begin\"/>{pieces}"),
        "<w:fldSimple w:instr='INCLUDETEXT \"file://192.0.2.7/a\"'/>".to_owned(),
        field("HYPERLINK \"search-ms:query=a\""),
        "<v:imagedata src='file://192.0.2.7/a.png'/>".to_owned(),
        "<wp15:webVideoPr embeddedHtml=\"&lt;iframe src='https://a.example/b'>\"/>".to_owned(),
    ] {
        assert_eq!(strict("a.docx", &text(&body)), ["quarantine remote_object"], "{body}");
    }
    for body in [
        field("INCLUDEPICTURE \"https://a.example/b.png\""),
        field("HYPERLINK \\l \"_Toc1\""),
        field("TOC \\o \"1-3\""),
        field("LINK Excel.Sheet.12 \"C:\\\\a.xlsx\""),
        "<v:imagedata src='media/a.png'/>".to_owned(),
        "<wp15:webVideoPr embeddedHtml=\"&lt;iframe src='https://www.youtube.com/embed/b'>\"/>".to_owned(),
    ] {
        assert_eq!(all("a.docx", &text(&body)), [""; 0], "{body}");
    }
    assert_eq!(links("a.docx", &text(&field("HYPERLINK \"http://192.0.2.7/a\""))), ["http://192.0.2.7/a"]);
    assert_eq!(links("a.docx", &text("<v:shape href='http://192.0.2.7/a'/>")), ["http://192.0.2.7/a"]);
}

#[test]
fn what_a_field_within_a_field_stands_for_is_read() {
    let inner = field("QUOTE 68 68 69");
    let body = format!(
        "<w:fldChar w:fldCharType=\"begin\"/>{inner}<w:instrText> cmd</w:instrText><w:fldChar w:fldCharType=\"end\"/>"
    );
    assert_eq!(strict("a.docx", &text(&body)), ["quarantine dde_field"]);
    let deep = "<w:fldChar w:fldCharType=\"begin\"/><w:instrText/>".repeat(200);
    assert_eq!(strict("a.docx", &text(&deep)), ["quarantine archive_limit_exceeded"]);
}

#[test]
fn an_open_document_is_judged_by_its_addresses() {
    for (element, expected) in [
        ("<draw:image xlink:href='file://192.0.2.7/a.jpg'/>", &["quarantine remote_object"][..]),
        ("<text:section-source xlink:href='https://a.example/b.odt'/>", &["quarantine remote_object"]),
        ("<draw:floating-frame xlink:href='https://a.example/b'/>", &["quarantine remote_object"]),
        (
            "<script:event-listener xlink:href='vnd.sun.star.script:../a.py$b?language=Python&amp;location=share'/>",
            &["quarantine remote_object"],
        ),
        (
            "<table:table-cell table:formula='of:=DDE(&quot;cmd&quot;;&quot;/c a&quot;;&quot;b&quot;)'/>",
            &["quarantine dde_field"],
        ),
        ("<office:dde-source office:dde-application='cmd' office:dde-topic='/c a'/>", &["quarantine dde_field"]),
        ("<text:a xlink:href='https://a.example/b'/>", &[]),
        ("<draw:image xlink:href='Pictures/a.jpg'/>", &[]),
        ("<table:table-cell table:formula='of:=SUM([.A1:.A2])'/>", &[]),
    ] {
        let content = format!("<office:document-content>{element}</office:document-content>");
        let zipped = zip(&[("mimetype", b""), ("content.xml", content.as_bytes())]);
        assert_eq!(all("a.odt", &zipped), expected, "{element}");
        let flat = format!(
            "<?xml version='1.0'?><office:document office:mimetype='application/vnd.oasis.opendocument.text'>{element}</office:document>"
        );
        assert_eq!(all("a.fodt", flat.as_bytes()), expected, "{element}");
    }
}

#[test]
fn a_workbook_that_asks_an_address_is_found() {
    let workbook = |path: &str, content: &str| zip(&[("[Content_Types].xml", b"<Types/>"), (path, content.as_bytes())]);
    let query =
        "<connections><connection refreshOnLoad='1'><webPr url='https://a.example/b'/></connection></connections>";
    assert_eq!(all("a.xlsx", &workbook("xl/connections.xml", query)), ["quarantine remote_object"]);
    let database = "<connections><connection><dbPr connection='Provider=Microsoft.Mashup'/></connection></connections>";
    assert_eq!(all("a.xlsx", &workbook("xl/connections.xml", database)), [""; 0]);
    let sheet = |formula: &str| workbook("xl/worksheets/sheet1.xml", &format!("<c><f>{formula}</f></c>"));
    let address = "&quot;https://a.example/&quot;";
    assert_eq!(strict("a.xlsx", &sheet(&format!("_xlfn.WEBSERVICE({address}&amp;A1)"))), ["quarantine remote_object"]);
    assert_eq!(all("a.xlsx", &sheet(&format!("_xlfn.WEBSERVICE({address})"))), ["review dde_field"]);
    let link = sheet("HYPERLINK(&quot;http://192.0.2.7/a&quot;,&quot;open&quot;)");
    assert_eq!((all("a.xlsx", &link), links("a.xlsx", &link)), (vec![], vec!["http://192.0.2.7/a".to_owned()]));
}

#[test]
fn an_equation_that_is_something_else_is_found() {
    let class = [0x02, 0xce, 0x02, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0x46];
    let equation = |stream: &str| compound(&[("a/", &class), (stream, &[0; 64])]);
    assert_eq!(strict("a.doc", &equation("\u{1}oLE10naTive")), ["quarantine embedded_object"]);
    assert_eq!(strict("a.doc", &equation("Equation Native")), [""; 0]);
}

#[test]
fn a_reminder_that_sounds_from_elsewhere_is_found() {
    let wide = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let message = |value: &str| compound(&[("__substg1.0_8011001F", &wide(value))]);
    assert_eq!(strict("a.msg", &message("\\\\192.0.2.7\\a\\b.wav")), ["quarantine remote_object"]);
    assert_eq!(all("a.msg", &message("C:\\Windows\\a.wav")), [""; 0]);
    assert_eq!(all("a.msg", &message("\\\\server\\a\\b.wav")), [""; 0]);
}

#[test]
fn a_field_of_an_old_document_is_read() {
    let wide = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    for octets in [
        b"\x13 HYPERLINK \"http://192.0.2.7/a\" \x14x\x15".to_vec(),
        wide("\u{13}HYPERLINK \"http://192.0.2.7/a\"\u{15}"),
    ] {
        let stream = [&[0; 64][..], &octets].concat();
        assert_eq!(links("a.doc", &compound(&[("WordDocument", &stream)])), ["http://192.0.2.7/a"], "{octets:?}");
    }
}
