//! PDF files.

use super::{ADDRESS, PROGRAM, all, build::*, inspected, links, strict, survives_damage};

const SCRIPT: &str = "quarantine pdf_script";

/// The same objects as they are, and packed into a stream of objects.
fn both_ways(objects: &[&str]) -> [Vec<u8>; 2] {
    let plain: Vec<&[u8]> = objects.iter().map(|object| object.as_bytes()).collect();
    let mut places = String::new();
    let mut at = 0;
    for (number, object) in (1..).zip(objects) {
        places += &format!("{number} {at} ");
        at += object.len() + 1;
    }
    let packed = zlib(format!("{places}{}", objects.join(" ")).as_bytes());
    let dictionary = format!("/Type/ObjStm/N {}/First {}/Filter/FlateDecode", objects.len(), places.len());
    [pdf(&plain), pdf(&[&stream(&dictionary, &packed)])]
}

#[test]
fn what_a_file_does_when_it_is_opened_is_found() {
    for (objects, expected) in [
        (&["<</Type/Catalog/OpenAction<</S/JavaScript/JS(app.alert(1))>>>>"][..], SCRIPT),
        (&["<</Type/Catalog/Open#41ction 2 0 R>>", "<</S/J#61vaScript/JS<6170702e616c657274>>>"], SCRIPT),
        (&["<</Type/Catalog/Names<</JavaScript<</Names[(a)2 0 R]>>>>>>", "<</S/JavaScript/JS(x())>>"], SCRIPT),
        (&["<</Type/Page/AA<</O<</S/JavaScript/JS(x())>>>>>>"], SCRIPT),
        (&["<</Type/Catalog/OpenAction<</S/Launch/F(cmd.exe)>>>>"], "quarantine pdf_launch"),
        (&["<</Type/Annot/A<</S/Launch/Win<</F(a.bat)>>>>>>"], "quarantine pdf_launch"),
        (&["<</Type/Catalog/OpenAction<</S/URI/URI(http://192.0.2.7/a)>>>>"], "quarantine pdf_opens_address"),
        (
            &["<</Type/Catalog/OpenAction 2 0 R>>", "<</S/SubmitForm/F(http://192.0.2.7/a)>>"],
            "quarantine pdf_opens_address",
        ),
        (&["<</Type/Annot/A<</S/GoToR/F(\\\\\\\\192.0.2.7\\\\a)>>>>"], "quarantine remote_object"),
        (&["<</Type/Catalog/OpenAction<</S/GoToE/F(//192.0.2.7/a)>>>>"], "quarantine remote_object"),
    ] {
        for file in both_ways(objects) {
            assert_eq!(strict("a.pdf", &file), [expected], "{objects:?}");
            survives_damage("a.pdf", &file);
        }
    }
}

#[test]
fn what_forms_need_and_what_links_to_pages_is_no_threat() {
    for (objects, expected) in [
        (&["<</FT/Tx/AA<</K<</S/JavaScript/JS(AFNumber_Keystroke\\(2, 0, 0\\);)>>>>>>"][..], &[][..]),
        (&["<</FT/Tx/AA<</F 2 0 R>>>>", "<</S/JavaScript/JS(AFDate_FormatEx\\(\"d\"\\);)>>"], &[]),
        (&["<</FT/Tx/AA<</C<</S/JavaScript/JS(event.value = 1)>>>>>>"], &["review pdf_script"]),
        (&["<</Subtype/Widget/A 2 0 R>>", "<</S/JavaScript/JS(this.resetForm\\(\\))>>"], &["review pdf_script"]),
        (&["<</Type/Catalog/OpenAction<</S/JavaScript/JS(this.print\\(true\\);)>>>>"], &["review pdf_script"]),
        (&["<</Type/Catalog/OpenAction[2 0 R/Fit]>>", "<</Type/Page>>"], &[]),
        (&["<</Type/Catalog/OpenAction<</S/GoTo/D[2 0 R/Fit]>>>>"], &[]),
        (&["<</Type/Catalog/OpenAction<</S/Named/N/FirstPage>>>>"], &[]),
        (&["<</Type/Annot/Subtype/Link/A<</S/URI/URI(https://www.example.com/)>>>>"], &[]),
    ] {
        for file in both_ways(objects) {
            assert_eq!(all("a.pdf", &file), expected, "{objects:?}");
        }
    }
}

/// An action that a field and the catalog both refer to happens on opening.
#[test]
fn an_action_that_pretends_to_be_of_a_field_is_found() {
    let objects = ["<</FT/Tx/A 3 0 R>>", "<</Type/Catalog/OpenAction 3 0 R>>", "<</S/JavaScript/JS(x())>>"];
    for file in both_ways(&objects) {
        assert_eq!(strict("a.pdf", &file), [SCRIPT]);
    }
}

#[test]
fn every_filter_is_undone() {
    let hexadecimal = |octets: &[u8]| octets.iter().map(|octet| format!("{octet:02x}")).collect::<String>() + ">";
    let objects = b"1 0 <</Type/Catalog/OpenAction<</S/JavaScript/JS(x())>>>>";
    let lzw = [0x80, 0x0b, 0x60, 0x50, 0x22, 0x0c, 0x0c, 0x85, 0x01];
    for (filter, packed) in [
        ("/FlateDecode", zlib(objects)),
        ("/Fl", zlib(objects)),
        ("[/ASCIIHexDecode/FlateDecode]", hexadecimal(&zlib(objects)).into_bytes()),
        ("[/AHx]", hexadecimal(objects).into_bytes()),
        ("[/FlateDecode/FlateDecode]", zlib(&zlib(objects))),
        ("/RunLengthDecode", [&[56][..], objects, &[128]].concat()),
    ] {
        let dictionary = format!("/Type/ObjStm/N 1/First 4/Filter{filter}");
        assert_eq!(strict("a.pdf", &pdf(&[&stream(&dictionary, &packed)])), [SCRIPT], "{filter}");
    }
    // The example of ISO 32000-2 §7.4.4.2: -----A---B
    let file = pdf(&[&stream("/Type/EmbeddedFile/Filter/LZWDecode", &lzw)]);
    assert_eq!(all("a.pdf", &file), [""; 0]);
}

#[test]
fn embedded_files_are_files() {
    let plain = stream("/Type/EmbeddedFile", PROGRAM);
    let packed = stream("/Filter/FlateDecode", &zlib(PROGRAM));
    let invoice = stream("/Type/EmbeddedFile", b"<?xml version=\"1.0\"?><invoice/>");
    let base_85 = stream("/Type/EmbeddedFile/Filter/ASCII85Decode", b"<~:j@k'!!*'\"!!!!%~>");
    let named = b"<</Type/Filespec/F(a.txt)/UF(a.txt)/EF<</F 2 0 R>>>>";
    let script = b"<</Type/Filespec/F(a.txt)/UF(a.js)/EF<</F 2 0 R>>>>";
    for (objects, expected) in [
        (&[&plain[..]][..], &["reject executable_attachment"][..]),
        (&[named, &packed], &["reject executable_attachment"]),
        (&[script, &invoice], &["quarantine script_attachment"]),
        (&[named, &invoice], &[]),
        (&[&base_85], &[]),
    ] {
        assert_eq!(strict("a.pdf", &pdf(objects)), expected);
    }
}

#[test]
fn what_unpacks_to_too_much_is_a_finding_that_names_the_limit() {
    let zeros = vec![0; 60 << 20];
    let page = zlib(&zeros);
    let small = zlib(&zeros[..9 << 20]);
    let small = stream("/Filter/FlateDecode", &small);
    for (objects, expected) in [
        (vec![stream("/Filter/FlateDecode", &page)], "the file unpacks to more than 100 times its size"),
        (
            vec![stream("/Type/ObjStm/N 1/First 4/Filter[/FlateDecode/FlateDecode]", &zlib(&page))],
            "the file unpacks to more than 100 times its size",
        ),
        (
            vec![stream("/Type/EmbeddedFile/Filter/FlateDecode", &page)],
            "the file unpacks to more than 100 times its size",
        ),
        (vec![small; 50], "the file has streams of more than 400 MB"),
    ] {
        let objects: Vec<&[u8]> = objects.iter().map(Vec::as_slice).collect();
        let found = inspected("a.pdf", &pdf(&objects)).findings;
        let found: Vec<_> = found.iter().map(|finding| (finding.code.as_ref(), finding.detail.as_str())).collect();
        assert_eq!(found, [("archive_limit_exceeded", expected)]);
    }
    let picture = stream("/Subtype/Image/Filter/FlateDecode", &page);
    assert_eq!(all("a.pdf", &pdf(&[&picture])), [""; 0], "a white page is no bomb");
}

#[test]
fn addresses_are_handed_on_and_encryption_is_told() {
    let wide: String = [0xfe, 0xff]
        .into_iter()
        .chain(ADDRESS.encode_utf16().flat_map(u16::to_be_bytes))
        .map(|octet| format!("{octet:02x}"))
        .collect();
    let [plain, packed] = both_ways(&[&format!("<</S/URI/URI({ADDRESS})>>")]);
    for file in [plain, packed, pdf(&[format!("<</S/URI/URI<{wide}>>>").as_bytes()])] {
        assert_eq!(links("a.pdf", &file), [ADDRESS]);
    }
    let encrypted = [&pdf(&[b"<</Type/Catalog>>"])[..], b"\ntrailer<</Encrypt 9 0 R>>"].concat();
    assert_eq!(all("a.pdf", &encrypted), ["review encrypted_document"]);
}

#[test]
fn an_object_that_hides_in_another_is_found() {
    let script = "9 0 obj <</Type/Catalog/OpenAction<</S/JavaScript/JS(x())>>>> endobj";
    let in_text = format!("<</Title({script})>>").into_bytes();
    let in_stream = stream("", script.as_bytes());
    let in_array = format!("[ ) (a) {script}").into_bytes();
    for object in [in_text, in_stream, in_array] {
        let file = pdf(&[&object]);
        assert_eq!(strict("a.pdf", &file), [SCRIPT], "{}", object.escape_ascii());
        survives_damage("a.pdf", &file);
    }
    let many = pdf(&[&"1 0 obj((".repeat(20_000).into_bytes()]);
    assert_eq!(strict("a.pdf", &many), ["quarantine archive_limit_exceeded"]);
}

#[test]
fn objects_in_a_stream_are_found_however_it_is_described() {
    let objects = b"1 0 <</Type/Catalog/OpenAction<</S/JavaScript/JS(x())>>>>";
    let rows = |filter: u8| {
        let line = |row: &[u8], above: &[u8]| {
            let octets =
                row.iter().zip(above).map(|(octet, above)| octet.wrapping_sub(if filter == 2 { *above } else { 0 }));
            [&[filter][..], &octets.collect::<Vec<u8>>()].concat()
        };
        let rows: Vec<&[u8]> = objects.chunks(10).collect();
        let above = std::iter::once(&[0; 10][..]).chain(rows.iter().copied());
        zlib(&rows.iter().zip(above).flat_map(|(row, above)| line(row, above)).collect::<Vec<u8>>())
    };
    let left: Vec<u8> = objects
        .chunks(10)
        .flat_map(|row| std::iter::once(row[0]).chain(row.windows(2).map(|pair| pair[1].wrapping_sub(pair[0]))))
        .collect();
    let of = "/Type/ObjStm/N 1/First 4/Filter/FlateDecode";
    for (what, file) in [
        ("PNG, none", pdf(&[&stream(&format!("{of}/DecodeParms<</Predictor 15/Columns 10>>"), &rows(0))])),
        ("PNG, up", pdf(&[&stream(&format!("{of}/DecodeParms[<</Predictor 12/Columns 10>>]"), &rows(2))])),
        ("TIFF", pdf(&[&stream(&format!("{of}/DP<</Predictor 2/Columns 10>>"), &zlib(&left))])),
        (
            "by reference",
            pdf(&[
                &stream("/Type/ObjStm/N 2 0 R/First 3 0 R/Filter 4 0 R/DecodeParms 5 0 R", &rows(2)),
                b"1",
                b"4",
                b"[/FlateDecode]",
                b"<</Predictor 12/Columns 6 0 R>>",
                b"10",
            ]),
        ),
        ("without a type", pdf(&[&stream("/N 1/First 4/Filter/FlateDecode", &zlib(objects))])),
        ("without numbers", pdf(&[&stream("/Type/ObjStm/Filter/FlateDecode", &zlib(objects))])),
        ("a damaged header", pdf(&[&stream(of, &[b"xx", &zlib(objects)[2..]].concat())])),
    ] {
        assert_eq!(strict("a.pdf", &file), [SCRIPT], "{what}");
        survives_damage("a.pdf", &file);
    }
    let places =
        b"1 40 2 0 <</Type/Catalog>>                           <</Type/Catalog/OpenAction<</S/JavaScript/JS(x())>>>>";
    assert_eq!(strict("a.pdf", &pdf(&[&stream("/Type/ObjStm/N 2/First 9", places)])), [SCRIPT], "places that go back");
}

#[test]
fn a_stream_ends_where_its_length_says() {
    let archive = zip(&[("endstream", b"hello"), ("photo.jpg", PROGRAM)]);
    for stated in [format!("{}", archive.len()), "2 0 R".to_owned()] {
        let dictionary = format!("<</Type/EmbeddedFile/Length {stated}>>\nstream\n");
        let object = [dictionary.as_bytes(), &archive, b"\nendstream"].concat();
        let length = archive.len().to_string();
        assert_eq!(strict("a.pdf", &pdf(&[&object, length.as_bytes()])), ["reject executable_attachment"], "{stated}");
    }
}

#[test]
fn what_opens_an_address_unasked_is_found_along_the_chain() {
    let opens = "quarantine pdf_opens_address";
    let uri = "<</S/URI/URI(https://www.example.com/)>>";
    for objects in [
        &["<</Type/Catalog/OpenAction 2 0 R>>", "<</S/GoTo/Next 3 0 R>>", "<</S/GoTo/Next[4 0 R]>>", uri][..],
        &["<</Type/Catalog/OpenAction<</S/Named/Next[<</S/Named/Next<</S/URI/URI(https://www.example.com/)>>>>]>>>>"],
        &["<</Type/Page/AA<</O 2 0 R>>>>", uri],
        &["<</Type/Catalog/AA 2 0 R>>", "<</WC 3 0 R>>", uri],
        &["<</Subtype/Widget/FT/Tx/AA<</PO 2 0 R>>>>", uri],
        &["<</Type/Catalog/OpenAction 1/OpenAction 2 0 R>>", uri],
        &["<</Type/Catalog/OpenAction 2 0 R/OpenAction 1>>", uri],
    ] {
        for file in both_ways(objects) {
            assert_eq!(strict("a.pdf", &file), [opens], "{objects:?}");
        }
    }
    for objects in [
        &["<</Subtype/Widget/AA<</U 2 0 R>>>>", uri][..],
        &["<</Type/Annot/Subtype/Link/A 2 0 R>>", uri],
        &["<</Type/Catalog/OpenAction 2 0 R>>", "<</S/GoTo/Next 3 0 R>>", "<</S/Named>>"],
    ] {
        for file in both_ways(objects) {
            assert_eq!(strict("a.pdf", &file), [""; 0], "{objects:?}");
        }
    }
    for file in both_ways(&["<</S/URI/URI 2 0 R>>", &format!("({ADDRESS})")]) {
        assert_eq!(links("a.pdf", &file), [ADDRESS]);
    }
}

/// What opens the file is no field because it says so, and neither is what follows it.
#[test]
fn a_script_that_pretends_to_be_of_a_field_is_found() {
    for objects in [
        &["<</Type/Catalog/FT/Tx/OpenAction<</S/JavaScript/JS(x())>>>>"][..],
        &["<</FT/Tx/AA<</PO<</S/JavaScript/JS(x())>>>>>>"],
        &["<</FT/Tx/A 2 0 R>>", "<</S/JavaScript/JS(x())>>", "<</Names[(a)2 0 R]>>"],
        &["<</FT/Tx/A 2 0 R>>", "<</S/JavaScript/JS(x())>>", "<</OpenAction<</S/Named/Next 2 0 R>>>>"],
        &["<</S/Named/S/JavaScript/JS(x())/JS(this.print\\(\\))>>"],
    ] {
        for file in both_ways(objects) {
            assert!(strict("a.pdf", &file).contains(&SCRIPT.to_owned()), "{objects:?}");
        }
    }
    let chain = ["<</Subtype/Widget/A 2 0 R>>", "<</S/ResetForm/Next 3 0 R>>", "<</S/JavaScript/JS(x())>>"];
    for file in both_ways(&chain) {
        assert_eq!(all("a.pdf", &file), ["review pdf_script"]);
    }
}

#[test]
fn a_form_that_brings_its_own_scripts_is_told() {
    let form = |activity: &str, script: &str| {
        format!(
            "<xdp:xdp><template><event activity='{activity}'><script>{script}</script></event></template></xdp:xdp>"
        )
    };
    for (form, expected) in [
        (form("click", "app.launchURL('http://192.0.2.7/')"), "review pdf_script"),
        (form("initialize", "this.rawValue = 1"), "review pdf_script"),
        (form("initialize", "app.launchURL('http://192.0.2.7/')"), SCRIPT),
        (form("docReady", "eval(x)"), SCRIPT),
    ] {
        let packed = stream("/Filter/FlateDecode", &zlib(form.as_bytes()));
        for catalog in [
            &b"<</AcroForm<</XFA 2 0 R>>>>"[..],
            b"<</AcroForm<</XFA[(template)2 0 R]>>>>",
            b"<</AcroForm<</XFA 3 0 R>>>>",
        ] {
            let file = pdf(&[catalog, &packed, b"[(template)2 0 R]"]);
            assert_eq!(all("a.pdf", &file), [expected], "{form}");
        }
    }
}

#[test]
fn files_are_found_wherever_they_are_referred_to() {
    let packed = stream("/Filter/FlateDecode", &zlib(b"hello"));
    let program = stream("/Filter/FlateDecode", &zlib(PROGRAM));
    for (objects, expected) in [
        (&[&b"<</UF(a.js)/EF 3 0 R>>"[..], &packed, b"<</F 2 0 R>>"][..], "quarantine script_attachment"),
        (&[b"<</UF(a.js)/RF<</F[(a)2 0 R]>>>>", &packed], "quarantine script_attachment"),
        (&[b"<</Type/Catalog>>", &program], "reject executable_attachment"),
    ] {
        assert_eq!(strict("a.pdf", &pdf(objects)), [expected]);
    }
}

/// Each of them would be looked for up to the end of the line, again and again.
#[test]
fn objects_in_one_comment_are_not_read_for_ever() {
    let file = [&b"%PDF-1.4\n"[..], &b"1 0 obj 1%".repeat(5_000)].concat();
    assert_eq!(strict("a.pdf", &file), ["quarantine archive_limit_exceeded"]);
}
