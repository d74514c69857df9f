//! Just enough of JSON Schema 2020-12 for our own document: a keyword that is not understood here is a fault.

use serde_json::{Map, Value};

/// Say nothing about what is valid. `format` is one of them unless somebody asks for more.
const ANNOTATIONS: [&str; 5] = ["description", "default", "format", "pattern", "x-enumDescriptions"];

/// What `value` breaks of `schema`, whose references lead into `document`; empty when it is valid.
pub(super) fn faults(document: &Value, schema: &Value, value: &Value) -> Vec<String> {
    let mut check = Check { document, faults: Vec::new() };
    check.value(schema, value, "$");
    check.faults
}

/// What a reference leads to, or the thing itself.
pub(super) fn resolved<'d>(document: &'d Value, thing: &'d Value) -> &'d Value {
    let Some(reference) = thing.get("$ref") else { return thing };
    let pointer = reference.as_str().and_then(|text| text.strip_prefix('#')).expect("a reference into the document");
    document.pointer(pointer).unwrap_or_else(|| panic!("{reference} leads nowhere"))
}

struct Check<'d> {
    document: &'d Value,
    faults: Vec<String>,
}

impl Check<'_> {
    fn value(&mut self, schema: &Value, value: &Value, path: &str) {
        for (keyword, rule) in schema.as_object().expect("a schema is an object") {
            let object = value.as_object();
            match keyword.as_str() {
                "$ref" => self.value(resolved(self.document, schema), value, path),
                "properties" => self.members(rule, object, path),
                "items" => self.items(rule, value.as_array(), path),
                "allOf" => branches(rule).iter().for_each(|branch| self.value(branch, value, path)),
                "anyOf" => self.must(1 <= self.matching(rule, value), path, "matches no branch"),
                "oneOf" => self.must(self.matching(rule, value) == 1, path, "does not match exactly one branch"),
                "additionalProperties" => self.nothing_else(schema, rule, object, path),
                "required" => self.required(rule, object, path),
                "type" => self.must(is_of_type(rule, value), path, &format!("{value} is no {rule}")),
                "enum" => self.must(branches(rule).contains(value), path, &format!("{value} is not among {rule}")),
                "const" => self.must(rule == value, path, &format!("{value} is not {rule}")),
                bound @ ("minimum" | "maximum" | "minItems" | "maxItems") => {
                    self.must(is_within(bound, rule, value), path, &format!("{bound} is {rule}"));
                }
                annotation => self.must(ANNOTATIONS.contains(&annotation), path, &format!("{annotation} is unknown")),
            }
        }
    }

    fn must(&mut self, holds: bool, path: &str, fault: &str) {
        if !holds {
            self.faults.push(format!("{path}: {fault}"));
        }
    }

    fn members(&mut self, schemas: &Value, object: Option<&Map<String, Value>>, path: &str) {
        for (name, value) in object.into_iter().flatten() {
            if let Some(schema) = schemas.get(name) {
                self.value(schema, value, &format!("{path}.{name}"));
            }
        }
    }

    fn items(&mut self, schema: &Value, items: Option<&Vec<Value>>, path: &str) {
        for (index, item) in items.into_iter().flatten().enumerate() {
            self.value(schema, item, &format!("{path}[{index}]"));
        }
    }

    fn required(&mut self, names: &Value, object: Option<&Map<String, Value>>, path: &str) {
        let Some(object) = object else { return };
        for name in branches(names).iter().filter_map(Value::as_str) {
            self.must(object.contains_key(name), path, &format!("{name} is missing"));
        }
    }

    fn nothing_else(&mut self, schema: &Value, rule: &Value, object: Option<&Map<String, Value>>, path: &str) {
        assert_eq!(rule, &Value::Bool(false), "{path}: only this is understood");
        for name in object.into_iter().flat_map(Map::keys) {
            self.must(schema["properties"].get(name).is_some(), path, &format!("{name} is not documented"));
        }
    }

    fn matching(&self, schemas: &Value, value: &Value) -> usize {
        branches(schemas).iter().filter(|schema| faults(self.document, schema, value).is_empty()).count()
    }
}

fn branches(list: &Value) -> &[Value] {
    list.as_array().expect("a list")
}

fn is_of_type(rule: &Value, value: &Value) -> bool {
    match rule {
        Value::Array(names) => names.iter().any(|name| is_of_type(name, value)),
        name => match name.as_str().expect("a type is a name") {
            "null" => value.is_null(),
            "boolean" => value.is_boolean(),
            "integer" => value.is_i64() || value.is_u64(),
            "number" => value.is_number(),
            "string" => value.is_string(),
            "array" => value.is_array(),
            "object" => value.is_object(),
            unknown => panic!("there is no type {unknown}"),
        },
    }
}

/// What a bound is not about is within it.
fn is_within(bound: &str, rule: &Value, value: &Value) -> bool {
    let measured =
        if bound.ends_with("Items") { value.as_array().map(|items| items.len() as f64) } else { value.as_f64() };
    let limit = rule.as_f64().expect("a bound is a number");
    measured.is_none_or(|measured| if bound.starts_with("min") { limit <= measured } else { measured <= limit })
}

#[test]
fn what_breaks_a_schema_is_told_with_its_place() {
    use serde_json::json;
    let document = json!({"word": {"enum": ["a", null]}});
    let schema = json!({
        "type": "object", "required": ["n"], "additionalProperties": false,
        "properties": {
            "n": {"type": "integer", "minimum": 1},
            "list": {"maxItems": 2, "items": {"$ref": "#/word"}},
            "either": {"oneOf": [{"type": "string"}, {"const": 5}]},
        },
    });
    for (value, expected) in [
        (json!({"n": 1, "list": ["a", null], "either": 5}), &[][..]),
        (json!([]), &["$: [] is no \"object\""]),
        (json!({}), &["$: n is missing"]),
        (json!({"n": 0}), &["$.n: minimum is 1"]),
        (json!({"n": 1.5}), &["$.n: 1.5 is no \"integer\""]),
        (json!({"n": 1, "m": 1}), &["$: m is not documented"]),
        (json!({"n": 1, "list": ["a", "b"]}), &["$.list[1]: \"b\" is not among [\"a\",null]"]),
        (json!({"n": 1, "list": ["a", "a", "a"]}), &["$.list: maxItems is 2"]),
        (json!({"n": 1, "either": 6}), &["$.either: does not match exactly one branch"]),
    ] {
        assert_eq!(faults(&document, &schema, &value), expected, "{value}");
    }
    assert_eq!(faults(&document, &json!({"maxLength": 1}), &json!("ab")), ["$: maxLength is unknown"]);
}
