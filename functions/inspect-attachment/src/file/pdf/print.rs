//! Scripts of labels and tickets: they open the printer's window, and do nothing else.

/// Whether a script is nothing but that. What it sets are parameters that it asked for before.
pub(super) fn only_prints(script: &str) -> bool {
    let mut parameters: Option<&str> = None;
    let mut has_printed = false;
    for statement in script.split([';', '\r', '\n']).map(str::trim).filter(|statement| !statement.is_empty()) {
        if let Some(argument) = argument_of(statement, "print") {
            has_printed = true;
            if !is_plain(argument) && argument_of(argument, "getPrintParams").is_none_or(|inner| !inner.is_empty()) {
                return false;
            }
            continue;
        }
        let Some((target, value)) = statement.split_once('=') else { return false };
        let (target, value) = (target.trim(), value.trim());
        if argument_of(value, "getPrintParams") == Some("") {
            parameters = Some(target.trim_start_matches("var ").trim());
        } else if parameters.is_none_or(|name| target.split('.').next() != Some(name)) || !is_plain(value) {
            return false;
        }
    }
    has_printed
}

/// What stands in the brackets of a call that is all of the text.
fn argument_of<'s>(text: &'s str, function: &str) -> Option<&'s str> {
    let call = text.strip_prefix("this.").unwrap_or(text).strip_prefix(function)?;
    call.trim_start().strip_prefix('(')?.strip_suffix(')').map(str::trim)
}

/// Names, numbers, texts and lists of them: nothing is called, set or put together.
fn is_plain(value: &str) -> bool {
    !value.contains(['(', ')', '=', '+', '`', '[', '\\'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_that_only_prints_is_told_from_others() {
        for (script, expected) in [
            ("this.print(this.getPrintParams());", true),
            ("print({bUI: true, bSilent: false});", true),
            (
                "var pp = this.getPrintParams();\r\npp.interactive = pp.constants.interactionLevel.full;\r\nthis.print(pp);",
                true,
            ),
            ("this.getPrintParams();", false),
            ("this.print(app.launchURL('http://a.example'))", false),
            ("var pp = this.getPrintParams(); app.x = 1; this.print(pp)", false),
            ("var pp = this.getPrintParams(); pp.a = eval('b'); this.print(pp)", false),
            ("this.print(); app.launchURL('http://a.example')", false),
            ("print(getPrintParams(eval('a')))", false),
            ("", false),
        ] {
            assert_eq!(only_prints(script), expected, "{script}");
        }
    }
}
