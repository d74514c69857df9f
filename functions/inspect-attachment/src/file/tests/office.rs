//! Documents of Office, old and new.

use super::{ADDRESS, PROGRAM, all, build::*, links, strict, survives_damage};

const CONTENT_TYPES: (&str, &[u8]) = ("[Content_Types].xml", b"<Types/>");
const MACRO: &str = "quarantine macro_document";
const SOURCE: &str = "Attribute VB_Name = \"M\"\r\nSub AutoOpen()\r\nMsgBox 1\r\nEnd Sub\r\n";
const NO_SOURCE: &str = "Attribute VB_Name = \"ThisDocument\"\r\nAttribute VB_Base = \"0\"\r\nOption Explicit\r\n";

fn project(folder: &str, source: &str) -> Vec<u8> {
    let module = module(source);
    let names = [format!("{folder}VBA/"), format!("{folder}VBA/dir"), format!("{folder}VBA/M")];
    let contents: [&[u8]; 3] = [&[], b"dir", &module];
    let mut objects: Vec<(&str, &[u8])> = vec![("WordDocument", &[0; 64])];
    objects.extend((!folder.is_empty()).then_some((folder, &[][..])));
    objects.extend(names.iter().map(String::as_str).zip(contents));
    compound(&objects)
}

fn open_document(parts: &[(&str, &[u8])]) -> Vec<u8> {
    zip(&[&[CONTENT_TYPES], parts].concat())
}

#[test]
fn macros_are_found_in_every_format() {
    let sheet = |kind: u8| [&[0x09, 0x08, 0, 0, 0x85, 0, 8, 0, 0, 0, 0, 0, 0][..], &[kind, 1, 0]].concat();
    let storage = project("", SOURCE);
    let packed = [&little(storage.len())[..], &zlib(&storage)].concat();
    let slides = |instance: u8, body: &[u8]| {
        let record = [&[instance << 4, 0, 0x11, 0x10][..], &little(body.len()), body].concat();
        compound(&[("PowerPoint Document", &[&[0x0f, 0, 0xe8, 3][..], &little(record.len()), &record].concat())])
    };
    for (name, document, expected) in [
        ("a.doc", project("Macros/", SOURCE), &[MACRO][..]),
        ("a.xls", project("_VBA_PROJECT_CUR/", SOURCE), &[MACRO]),
        ("a.docm", open_document(&[("word/vbaProject.bin", &storage)]), &[MACRO]),
        ("a.docx", open_document(&[("word/other/VBAPROJECT.BIN", &storage)]), &[MACRO]),
        ("a.xlsm", open_document(&[("xl/vbaProject.bin", b"unreadable")]), &[MACRO]),
        ("a.ppt", slides(1, &packed), &[MACRO]),
        ("a.ppt", slides(0, &storage), &[MACRO]),
        ("a.xls", compound(&[("Workbook", &sheet(1))]), &[MACRO]),
        ("a.xls", compound(&[("Book", &sheet(1))]), &[MACRO]),
        ("a.xlsm", open_document(&[("xl/macrosheets/sheet1.xml", b"<xm:macrosheet/>")]), &[MACRO]),
        ("a.xlsb", open_document(&[("xl/macrosheets/intl1.bin", b"\x81\x01")]), &[MACRO]),
        ("a.odt", zip(&[("mimetype", b"application/vnd.oasis.opendocument.text"), ("Basic/Standard/M.xml", b"<m/>")]), &[MACRO]),
        ("a.xml", b"<?xml version='1.0'?><?mso-application progid='Word.Document'?><w:binData w:name='editdata.mso'/>".to_vec(), &[MACRO]),
        ("a.xml", b"<?xml version='1.0'?><?mso-application progid='Word.Document'?><pkg:part pkg:name='/word/vbaProject.bin'/>".to_vec(), &[MACRO]),
        ("a.zip", zip(&[("a.doc", &project("Macros/", SOURCE))]), &[MACRO]),
        ("a.xls", compound(&[("Workbook", &sheet(0))]), &[]),
        ("a.doc", project("Macros/", NO_SOURCE), &[]),
        ("a.docm", open_document(&[("word/vbaProject.bin", &project("", NO_SOURCE))]), &[]),
    ] {
        assert_eq!(strict(name, &document), expected, "{name}");
        survives_damage(name, &document);
    }
}

#[test]
fn what_a_document_loads_from_elsewhere_is_found() {
    let related = |kind: &str, target: &str| {
        format!(
            "<Relationships><Relationship Id=\"r\" Type=\"http://x/{kind}\" Target=\"{target}\" TargetMode=\"External\"/></Relationships>"
        )
    };
    let template = "quarantine remote_template";
    let object = "quarantine remote_object";
    for (kind, target, expected) in [
        ("attachedTemplate", ADDRESS, &[template][..]),
        ("attachedTemplate", "\\\\192.0.2.7\\share\\a.dotm", &[template]),
        ("attachedTemplate", "file://files.stranger.example/a.dotm", &[template]),
        ("attachedTemplate", "file:///C:\\Users\\ann\\Templates\\Normal.dotm", &[]),
        ("attachedTemplate", "\\\\fileserver\\templates\\letter.dotx", &[]),
        ("oleObject", "http://192.0.2.7/a.hta", &[object]),
        ("oleObject", "mhtml:http://192.0.2.7/a.html!x-usc:http://192.0.2.7/a.html", &[object]),
        ("oleObject", "file:///C:\\reports\\numbers.xlsx", &[]),
        ("frame", ADDRESS, &[object]),
        ("hyperlink", "ms-msdt:/id x", &[object]),
        ("hyperlink", "https://www.example.com/", &[]),
        ("image", "\\\\192.0.2.7\\a.png", &[object]),
        ("image", "https://www.example.com/logo.png", &[]),
    ] {
        let rels = related(kind, target);
        let document = open_document(&[("word/_rels/settings.xml.rels", rels.as_bytes())]);
        assert_eq!(strict("a.docx", &document), expected, "{kind} {target}");
        assert_eq!(links("a.docx", &document), [target]);
    }
    let wide: Vec<u8> = [0xff, 0xfe]
        .into_iter()
        .chain(related("attachedTemplate", ADDRESS).encode_utf16().flat_map(u16::to_le_bytes))
        .collect();
    assert_eq!(strict("a.docx", &open_document(&[("word/_rels/settings.xml.rels", &wide)])), [template]);
    let rich = format!("{{\\rtf1{{\\*\\template {ADDRESS}}}}}");
    assert_eq!(strict("a.rtf", rich.as_bytes()), [template]);
    assert_eq!(strict("a.doc", rich.replace("http", "\\'68ttp").as_bytes()), [template]);
    let moniker: Vec<u8> = b"\xe0\xc9\xea\x79\xf9\xba\xce\x11\x8c\x82\x00\xaa\x00\x4b\xa9\x0b\0\0\0\0"
        .iter()
        .copied()
        .chain(ADDRESS.encode_utf16().chain([0]).flat_map(u16::to_le_bytes))
        .collect();
    let linked = compound(&[("ObjectPool/", &[]), ("ObjectPool/_1/", &[]), ("ObjectPool/_1/\u{1}Ole", &moniker)]);
    assert_eq!(strict("a.doc", &linked), [object]);
    assert_eq!(links("a.doc", &linked), [ADDRESS]);
    let slide = open_document(&[("ppt/slides/slide1.xml", b"<a:hlinkClick action=\"ppaction://program\"/>")]);
    assert_eq!(strict("a.pptx", &slide), [object]);
}

#[test]
fn embedded_objects_are_told_and_what_they_are_is_judged() {
    let told = "review embedded_object";
    let package_class = &[0x0c, 0, 3, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0x46];
    let chart_class = &[0x20, 8, 2, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0x46];
    let file = |name, content| package(name, content);
    let in_storage = |content: &[u8]| compound(&[("\u{1}Ole10Native", content)]);
    let hexadecimal = |data: &[u8]| data.iter().map(|octet| format!("{octet:02x}")).collect::<String>();
    let object = |class: &str, data: &[u8]| {
        let class = [&little(class.len() + 1)[..], class.as_bytes(), b"\0"].concat();
        [&[1, 5, 0, 0, 2, 0, 0, 0][..], &class, &[0; 8], &little(data.len()), data].concat()
    };
    let rich = |class: &str, data: &[u8], more: &str| {
        format!("{{\\rtf1{{\\object\\objemb{more}{{\\*\\objdata {}}}}}}}", hexadecimal(&object(class, data)))
            .into_bytes()
    };
    let packaged = file("a.txt", b"hello").split_off(4);
    let program = file("a.txt", PROGRAM).split_off(4);
    for (name, document, expected) in [
        ("a.doc", compound(&[("ObjectPool/", &[]), ("ObjectPool/_1/", package_class)]), &[told][..]),
        ("a.doc", compound(&[("ObjectPool/", &[]), ("ObjectPool/_1/", chart_class)]), &[]),
        ("a.doc", in_storage(&file("a.txt", b"hello")), &[told]),
        ("a.docx", open_document(&[("word/embeddings/oleObject1.bin", b"unreadable")]), &[told]),
        ("a.docx", open_document(&[("word/activeX/activeX1.bin", b"\0")]), &[told]),
        ("a.docx", open_document(&[("word/embeddings/Microsoft_Excel_Sheet1.xlsx", &open_document(&[]))]), &[]),
        ("a.rtf", rich("Package", &packaged, ""), &[told]),
        ("a.rtf", rich("Excel.Sheet.8", b"cells", ""), &[]),
        ("a.rtf", rich("Equation.3", b"x", ""), &["quarantine embedded_object"]),
        ("a.rtf", rich("Word.Document.8", b"x", "\\objupdate"), &["quarantine embedded_object"]),
        ("a.rtf", rich("Package", &program, ""), &[told, "reject executable_attachment"]),
        ("a.doc", in_storage(&file("a.txt", PROGRAM)), &[told, "reject executable_attachment"]),
        ("a.doc", in_storage(&file("a.js", b"hello")), &[told, "quarantine script_attachment"]),
        (
            "a.docx",
            open_document(&[("word/embeddings/oleObject1.bin", &in_storage(&file("a.txt", PROGRAM)))]),
            &[told, "reject executable_attachment"],
        ),
        ("a.docx", open_document(&[("word/media/photo.dat", PROGRAM)]), &["reject executable_attachment"]),
    ] {
        let mut found = all(name, &document);
        found.dedup();
        assert_eq!(found, expected, "{name}");
        survives_damage(name, &document);
    }
}

#[test]
fn a_mail_in_a_mail_leads_to_its_attachments() {
    let name: Vec<u8> = "a.pdf".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let message = compound(&[
        ("__attach_version1.0_#00000000/", &[]),
        ("__attach_version1.0_#00000000/__substg1.0_37010102", PROGRAM),
        ("__attach_version1.0_#00000000/__substg1.0_3707001F", &name),
    ]);
    assert_eq!(strict("a.msg", &message), ["reject executable_attachment"]);
    let of_scripts = compound(&[
        ("__attach_version1.0_#00000000/", &[]),
        ("__attach_version1.0_#00000000/__substg1.0_3707001F", b"a\0.\0j\0s\0"),
    ]);
    assert_eq!(strict("a.msg", &of_scripts), ["quarantine script_attachment"]);
}

#[test]
fn fields_that_start_programs_are_found_however_they_are_cut() {
    let dde = "quarantine dde_field";
    let told = "review dde_field";
    let word = |xml: &str| open_document(&[("word/document.xml", xml.as_bytes())]);
    let old = |text: &[u8]| compound(&[("WordDocument", &[&[0; 32][..], text].concat())]);
    let link = |service: &str| {
        let xml = format!("<externalLink><ddeLink ddeService=\"{service}\" ddeTopic=\"/c\"/></externalLink>");
        open_document(&[("xl/externalLinks/externalLink1.xml", xml.as_bytes())])
    };
    for (name, document, expected) in [
        ("a.docx", word("<w:fldChar w:fldCharType=\"begin\"/><w:instrText> DDEAUTO c:\\x </w:instrText>"), &[dde][..]),
        (
            "a.docx",
            word("<w:instrText>D</w:instrText><w:r/><w:instrText>DE x</w:instrText><w:fldChar w:fldCharType=\"end\"/>"),
            &[dde],
        ),
        ("a.docx", word("<w:fldSimple w:instr='DDE \"x\"'>"), &[dde]),
        ("a.docx", word("<w:instrText>PAGE</w:instrText><w:t>DDEAUTO is a field</w:t>"), &[]),
        ("a.doc", old(b"\x13 DDEAUTO c:\\x"), &[dde]),
        ("a.doc", old(b"\x13\0D\0D\0E\0 \0x\0"), &[dde]),
        ("a.doc", old(b"DDEAUTO \x13 PAGE"), &[]),
        ("a.xlsx", link("cmd"), &[dde]),
        ("a.xlsx", link("powershell"), &[dde]),
        ("a.xlsx", link("prices"), &[told]),
        ("a.xls", compound(&[("Workbook", b"\xae\x01\x0c\0\x01\0\x08\0\0cmd\x03/c x")]), &[dde]),
        (
            "a.xlsb",
            open_document(&[("xl/externalLinks/externalLink1.bin", b"\xe8\x02\x0c\x01\0\x03\0\0\0c\0m\0d\0")]),
            &[dde],
        ),
        ("a.rtf", b"{\\rtf1{\\field{\\*\\fldinst DDEAUTO x}}}".to_vec(), &[dde]),
        ("a.csv", b"a,b\r\n1,=cmd|'/c x'!A0\r\n".to_vec(), &[dde]),
        ("a.csv", b"a;\"@SUM(1+1)*cmd|' /c x'!A0\"".to_vec(), &[dde]),
        ("a.csv", b"a|b|c!\r\n-1|2|3\r\n=A1+B1".to_vec(), &[]),
    ] {
        assert_eq!(all(name, &document), expected, "{name}");
    }
}

#[test]
fn documents_with_a_password_are_kept_back() {
    let encrypted = "quarantine encrypted_document";
    let mut flags = [0; 64];
    flags[11] = 1;
    for (name, document) in [
        ("a.docx", compound(&[("EncryptionInfo", b"x"), ("EncryptedPackage", b"x")])),
        ("a.doc", compound(&[("WordDocument", &flags)])),
        ("a.xls", compound(&[("Workbook", b"\x2f\0\x02\0\0\0")])),
        ("a.ppt", compound(&[("Current User", b"\0\0\xf6\x0f\x14\0\0\0\x14\0\0\0\xdf\xc4\xd1\xf3")])),
        ("a.odt", zip(&[("mimetype", b""), ("META-INF/manifest.xml", b"<manifest:encryption-data/>")])),
    ] {
        assert_eq!(all(name, &document), [encrypted], "{name}");
    }
}

#[test]
fn a_kind_with_macros_under_a_name_without_is_a_mismatch() {
    let types =
        |kind: &str| format!("<Types><Override ContentType=\"application/vnd.ms-word.{kind}.main+xml\"/></Types>");
    let macro_enabled = types("document.macroEnabled");
    for (name, types, expected) in [
        ("a.docx", &macro_enabled, &["review type_mismatch"][..]),
        ("a.docm", &macro_enabled, &[]),
        ("a.docx", &types("document"), &[]),
    ] {
        assert_eq!(all(name, &zip(&[("[Content_Types].xml", types.as_bytes())])), expected, "{name}");
    }
}

/// Programs go by relations and content types, whatever the names are.
#[test]
fn parts_are_found_by_what_refers_to_them() {
    let related = |kind: &str| {
        format!("<Relationships><Relationship Type=\"http://x/{kind}\" Target=\"../media/a.png\"/></Relationships>")
    };
    let typed =
        |kind: &str| format!("<Types><Override PartName=\"/media/a.png\" ContentType=\"application/{kind}\"/></Types>");
    let storage = project("", SOURCE);
    let dde_link = b"<externalLink><ddeLink ddeService=\"cmd\" ddeTopic=\"/c\"/></externalLink>";
    let dde_field = b"<w:instrText>DDEAUTO x</w:instrText>";
    for (relation, content_type, part, expected) in [
        ("vbaProject", "vnd.ms-office.vbaProject", &storage[..], MACRO),
        ("xlMacrosheet", "vnd.ms-excel.macrosheet+xml", b"<xm:macrosheet/>", MACRO),
        ("xlIntlMacrosheet", "vnd.ms-excel.intlmacrosheet", b"\x81\x01", MACRO),
        (
            "externalLink",
            "vnd.openxmlformats-officedocument.spreadsheetml.externalLink+xml",
            dde_link,
            "quarantine dde_field",
        ),
        (
            "officeDocument",
            "vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml",
            dde_field,
            "quarantine dde_field",
        ),
        (
            "slide",
            "vnd.openxmlformats-officedocument.presentationml.slide+xml",
            b"<a action=\"ppaction://program\"/>",
            "quarantine remote_object",
        ),
        ("oleObject", "vnd.openxmlformats-officedocument.oleObject", b"unreadable", "review embedded_object"),
        ("control", "vnd.ms-office.activeX", b"\0", "review embedded_object"),
    ] {
        let rels = related(relation);
        let by_relation = open_document(&[("word/_rels/document.xml.rels", rels.as_bytes()), ("media/a.png", part)]);
        let by_type = zip(&[("[Content_Types].xml", typed(content_type).as_bytes()), ("media/a.png", part)]);
        for document in [by_relation, by_type] {
            let mut found = all("a.xlsx", &document);
            found.retain(|found| found != "review type_mismatch");
            found.dedup();
            assert_eq!(found, [expected], "{relation}");
            survives_damage("a.xlsx", &document);
        }
    }
    let unrelated = open_document(&[("media/a.png", &storage)]);
    assert!(strict("a.docx", &unrelated).contains(&MACRO.to_owned()), "a project of macros that nothing refers to");
    let template = "<Relationships><Relationship Type=\"http://x/attachedTemplate\" Target=\"http://192.0.2.7/a\"/></Relationships>";
    let document = open_document(&[("other/_rels/part.xml.rels", template.as_bytes())]);
    assert_eq!(strict("a.docx", &document), ["quarantine remote_template"]);
}

#[test]
fn rich_text_is_read_however_its_letters_are_written() {
    let template = "quarantine remote_template";
    let object = "quarantine embedded_object";
    let equation = "0105000002000000090000004571756174696f6e00000000000000000000000000";
    let scattered = equation.replacen("4571", "45{\\*\\junk 99}71", 1);
    let escaped = equation.replacen("4571", "45\\'3171", 1);
    let binary = equation.replacen("4571756174696f6e", "\\bin8 Equation", 1);
    let data = |data: &str| format!("{{\\rtf1{{\\object\\objemb{{\\*\\objdata {data}}}}}}}");
    for (text, expected) in [
        ("{\\rtf1{\\*\\template \\u104?ttp://192.0.2.7/a}}".to_owned(), template),
        ("{\\rtf1{\\*\\template \\uc0\\u104 ttp://192.0.2.7/a}}".to_owned(), template),
        ("{\\rtf1{\\*\\template \\uc2\\u104\\'61\\'62ttp://192.0.2.7/a}}".to_owned(), template),
        ("{\\rtf1{\\field{\\*\\fldinst \\u68?DEAUTO x}}}".to_owned(), "quarantine dde_field"),
        ("{\\rtf1{\\field{\\*\\fldinst{\\b D}{\\i DE} x}}}".to_owned(), "quarantine dde_field"),
        ("{\\rtf1{\\object{\\*\\objclass \\u69?quation.3}}}".to_owned(), object),
        ("{\\rtf1{\\object{\\*\\objclass E\\'71uation.3}}}".to_owned(), object),
        (data(equation), object),
        (data(&scattered), object),
        (data(&escaped), object),
        (data(&binary), object),
        (data(equation).replace("}}}", "\\fldinst x}}}"), object),
    ] {
        let mut found = strict("a.rtf", text.as_bytes());
        found.dedup();
        assert_eq!(found, [expected], "{text}");
        survives_damage("a.rtf", text.as_bytes());
    }
}

#[test]
fn compound_files_are_read_whatever_the_case_of_their_names_and_wherever_a_class_stands() {
    let mut flags = [0; 64];
    flags[11] = 1;
    let sheet = [&[0x09, 0x08, 0, 0, 0x85, 0, 8, 0, 0, 0, 0, 0, 0][..], &[1, 1, 0]].concat();
    let font = |name: &[u8]| [&[0; 33][..], &[0x0a, 8, 0x5a, 0x5a], name, b"\0"].concat();
    let moniker = [b"\x03\x03\0\0\0\0\0\0\xc0\0\0\0\0\0\0\x46\0\0", &little(17)[..], b"\\\\192.0.2.7\\a.rtf"].concat();
    let page = b"\xc3\x2a\xb2\xea\xc1\x30\xcf\x11\xa7\xeb\0\0\xc0\x5b\xae\x0b";
    for (document, expected) in [
        (compound(&[("WORDDOCUMENT", &flags)]), "quarantine encrypted_document"),
        (compound(&[("workBOOK", &sheet)]), MACRO),
        (compound(&[("\u{1}OLE10NATIVE", &package("a.txt", b"hello"))]), "review embedded_object"),
        (compound(&[("Equation Native", &font(b"Times"))]), "review embedded_object"),
        (compound(&[("EQUATION NATIVE", &font(&[b'a'; 48]))]), "quarantine embedded_object"),
        (compound(&[("ObjectPool/", &[]), ("ObjectPool/_1/", page)]), "quarantine embedded_object"),
        (compound(&[("\u{1}ole", &moniker)]), "quarantine remote_object"),
    ] {
        assert_eq!(all("a.doc", &document), [expected]);
        survives_damage("a.doc", &document);
    }
    for class in [&[2, 0xce, 2, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0x46], page] {
        let mut root = compound(&[("WordDocument", &[0; 64])]);
        root[1024 + 80..1024 + 96].copy_from_slice(class);
        assert_ne!(all("a.doc", &root), [""; 0], "{class:x?}");
    }
    let far = [[0xff, 0, 0, 0].repeat(600_000), sheet].concat();
    let mut contents = crate::file::contents::Contents::default();
    crate::file::office::binary::excel(&far, &mut contents);
    assert_eq!(contents.remarks.len(), 1, "a sheet of macros behind a great many records");
}

#[test]
fn tables_in_the_form_of_text_are_read_as_excel_does() {
    let dde = "quarantine dde_field";
    for (name, content, expected) in [
        ("a.csv", &b"=cmd|'/c start a,b'!A0\r\n"[..], &[dde][..]),
        ("a.prn", b"  =cmd|'/c x'!A0", &[dde]),
        ("a.xls", b"<html><table><tr><td>=cmd|'/c x'!A0</td></table>", &[dde]),
        ("a.csv", b"\xff\xfe=\0c\0m\0d\0|\0'\0/\0c\0'\0!\0A\x000\0", &[dde]),
        ("a.csv", b"- one | two!\r\n- three | four !\r\n", &[]),
        ("a.csv", b"name,note\r\nAnn,a|b!\r\n", &[]),
    ] {
        assert_eq!(
            all(name, content).into_iter().filter(|found| found != "review type_mismatch").collect::<Vec<_>>(),
            expected,
            "{name} {}",
            content.escape_ascii()
        );
    }
}

#[test]
fn a_mail_of_outlook_leads_where_its_text_leads() {
    let html = format!("<a href={ADDRESS}>a</a>");
    let plain: Vec<u8> = ADDRESS.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (property, content) in [
        ("__substg1.0_10130102", html.as_bytes()),
        ("__SUBSTG1.0_1000001F", &plain),
        ("__substg1.0_1000001e", ADDRESS.as_bytes()),
    ] {
        assert_eq!(links("a.msg", &compound(&[(property, content)])), [ADDRESS], "{property}");
    }
}
