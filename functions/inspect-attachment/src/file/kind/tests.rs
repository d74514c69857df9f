use super::{Kind, signature::INSTALLER_CLASS};

fn padded(head: &[u8], at: usize, tail: &[u8]) -> Vec<u8> {
    let mut content = head.to_vec();
    content.resize(at, 0);
    content.extend_from_slice(tail);
    content
}

fn compound_file(class: &[u8], sector_shift: u8, first_directory_sector: u8) -> Vec<u8> {
    let mut content = vec![0; (usize::from(first_directory_sector) + 2) << sector_shift];
    content[..8].copy_from_slice(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1");
    content[0x1e] = sector_shift;
    content[0x30] = first_directory_sector;
    let entry = (usize::from(first_directory_sector) + 1) << sector_shift;
    content[entry + 0x50..entry + 0x50 + class.len()].copy_from_slice(class);
    content
}

#[test]
fn content_is_recognised_by_its_bytes() {
    for (content, expected) in [
        (padded(b"MZ\x90\0", 64, b"PE\0\0"), Some(Kind::WindowsProgram)),
        (b"MZ\0".to_vec(), Some(Kind::WindowsProgram)),
        (b"MZ is how the name of the town is abbreviated on number plates, by the way.".to_vec(), None),
        (b"\x7fELF\x02\x01\x01".to_vec(), Some(Kind::ElfProgram)),
        (b"\x7fELF\x01".to_vec(), Some(Kind::ElfProgram)),
        (b"\xcf\xfa\xed\xfe\x07\0\0\x01".to_vec(), Some(Kind::MacProgram)),
        (b"\xca\xfe\xba\xbe\0\0\0\x02".to_vec(), Some(Kind::MacProgram)),
        (b"\xca\xfe\xba\xbe\0\0\0\x34".to_vec(), Some(Kind::JavaProgram)),
        (compound_file(INSTALLER_CLASS, 9, 1), Some(Kind::WindowsInstaller)),
        (compound_file(INSTALLER_CLASS, 12, 3), Some(Kind::WindowsInstaller)),
        (compound_file(&[6; 16], 9, 1), Some(Kind::OleDocument)),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".to_vec(), Some(Kind::OleDocument)),
        (padded(b"", 0x8001, b"CD001"), Some(Kind::DiskImage)),
        (padded(b"", 0x8801, b"NSR02"), Some(Kind::DiskImage)),
        (b"#!/bin/sh\necho\n".to_vec(), Some(Kind::Script)),
        (b"#@~^AAAAAA==".to_vec(), Some(Kind::Script)),
        (b"<html><HTA:APPLICATION id=x></html>".to_vec(), Some(Kind::HtmlApplication)),
        (b"\xef\xbb\xbf\r\n <!DOCTYPE html><p>hello".to_vec(), Some(Kind::Html)),
        (b"%PDF-1.7\n".to_vec(), Some(Kind::Pdf)),
        (b"\n\njunk before %PDF-1.4".to_vec(), Some(Kind::Pdf)),
        (b"RIFF\x10\0\0\0WEBPVP8 ".to_vec(), Some(Kind::Image)),
        (padded(b"readme.txt", 257, b"ustar\x0000"), Some(Kind::Tar)),
        (b"Dear Ann, the invoice is attached.".to_vec(), None),
        (Vec::new(), None),
        (padded(b"MZ", 3, b""), Some(Kind::WindowsProgram)),
        (padded(b"\xeb\x3c\x90MSDOS5.0", 54, &padded(b"FAT12   ", 456, b"\x55\xaa")), Some(Kind::DiskImage)),
        (padded(b"", 4096, &padded(b"conectix", 512, b"")), Some(Kind::DiskImage)),
        (
            b"<?xml version=\"1.0\"?>\n<!-- drawn -->\n<svg xmlns=\"http://www.w3.org/2000/svg\"/>".to_vec(),
            Some(Kind::Svg),
        ),
        (b"<!-- page --><HTML>".to_vec(), Some(Kind::Html)),
        (b"<?xml version=\"1.0\"?><rss>".to_vec(), None),
        (b"BEGIN:VCALENDAR\r\n".to_vec(), Some(Kind::Calendar)),
        (b"BZh is not a word".to_vec(), None),
        (b"\x78\x9f\x3e\x22\x01\0".to_vec(), Some(Kind::Tnef)),
        (b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02\xa0\0".to_vec(), Some(Kind::SignedMessage)),
        (b"\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03\xa0\0".to_vec(), Some(Kind::EncryptedMessage)),
        (b"From: a\r\nSubject: b\r\n\r\nhello".to_vec(), Some(Kind::Message)),
        (b"From: here on it is a text\r\nand goes on.".to_vec(), None),
        (b"Note: b\nDate: c\n\nhello".to_vec(), None),
        (b"xar!\0\x1c".to_vec(), Some(Kind::MacProgram)),
        (b"[InternetShortcut]\r\nURL=http://a.example".to_vec(), Some(Kind::Shortcut)),
        (
            b"From: <Saved by Blink>\r\nMIME-Version: 1.0\r\n\r\n--a\r\nContent-Location: http://a.example\r\n"
                .to_vec(),
            Some(Kind::WebArchive),
        ),
        (
            b"To: a@b.example\r\nMIME-Version: 1.0\r\n\r\n--a\r\nContent-Location: http://a.example\r\n".to_vec(),
            Some(Kind::Message),
        ),
    ] {
        assert_eq!(Kind::of(&content), expected, "{:?}", content.escape_ascii().to_string().get(..60));
    }
}

#[test]
fn a_compound_file_that_points_outside_itself_is_a_document() {
    let mut content = compound_file(INSTALLER_CLASS, 9, 1);
    content[0x30..0x34].copy_from_slice(&[0xff; 4]);
    content[0x1e] = 0xff;
    assert_eq!(Kind::of(&content), Some(Kind::OleDocument));
}
