//! Rows of JSON payloads, and the causes of those that are none.

mod random;

use proptest::prelude::*;
use schema_registry::SchemaType;

use crate::project::Pushed;
use crate::project::tests::project;
use crate::types::tests::schema;
use random::Shape;

const SCHEMA: &str = r#"{"type":"object","properties":{
    "b":{"type":"boolean"},"i":{"type":"integer"},"n":{"type":"number"},"s":{"type":["null","string"]},
    "at":{"type":"string","format":"date-time"},"d":{"type":"string","format":"date"},
    "t":{"type":"string","format":"time"},
    "l":{"type":"array","items":{"type":"object","properties":{"x":{"type":"integer"},"y":{"enum":["A","B"]}}}},
    "m":{"type":"object","additionalProperties":{"type":"array","items":{"type":"number"}}}
}}"#;

#[test]
fn values_of_all_types_become_rows() {
    let payloads: [&str; 4] = [
        r#"{"m":{"k":[1,2.5],"":[]},"l":[{"y":"B","x":1},{},null],"t":"01:02:03.5Z","d":"2000-02-29",
            "at":"2013-01-01T05:00:00.123456789-05:00","s":"ü\n","n":-0.5,"i":-9223372036854775808,"b":true}"#,
        r#"{"i":1e3,"n":7,"l":[],"m":{},"s":null}"#,
        "{}",
        " {\"i\": 2.0} \n",
    ];
    let (pushed, lines) = project(&schema(SchemaType::Json, SCHEMA), &payloads.map(str::as_bytes));
    assert_eq!(pushed, [Pushed::Row, Pushed::Row, Pushed::Row, Pushed::Row]);
    let null = r#""d":null,"t":null,"l":null,"m":null}"#;
    assert_eq!(
        lines,
        [
            concat!(
                r#"{"b":true,"i":-9223372036854775808,"n":-0.5,"s":"ü\n","at":"2013-01-01T10:00:00.123456Z","#,
                r#""d":"2000-02-29","t":"01:02:03.500000","l":[{"x":1,"y":"B"},{"x":null,"y":null},null],"#,
                r#""m":{"k":[1.0,2.5],"":[]}}"#
            )
            .to_owned(),
            r#"{"b":null,"i":1000,"n":7.0,"s":null,"at":null,"d":null,"t":null,"l":[],"m":{}}"#.to_owned(),
            format!(r#"{{"b":null,"i":null,"n":null,"s":null,"at":null,{null}"#),
            format!(r#"{{"b":null,"i":2,"n":null,"s":null,"at":null,{null}"#),
        ]
    );
}

#[test]
fn properties_that_the_schema_does_not_name_have_no_column() {
    let payloads = [r#"{"i":1,"other":{"deep":[1,2]},"s":"x"}"#, r#"{"l":[{"z":[],"x":3}]}"#];
    let (pushed, lines) = project(&schema(SchemaType::Json, SCHEMA), &payloads.map(str::as_bytes));
    assert_eq!(pushed, [Pushed::Row, Pushed::Row]);
    assert!(lines[0].contains(r#""i":1"#) && lines[0].contains(r#""s":"x""#), "{}", lines[0]);
    assert!(lines[1].contains(r#""l":[{"x":3,"y":null}]"#), "{}", lines[1]);
}

#[test]
fn what_is_no_row_has_a_cause_with_its_path() {
    let rows = [
        (r#"{"i":1.5}"#, "field 'i': invalid type: floating point `1.5`, expected a whole number"),
        (r#"{"i":9223372036854775808}"#, "field 'i': 9223372036854775808 does not fit a long"),
        (r#"{"i":1e19}"#, "field 'i': 1e19 does not fit a long"),
        (r#"{"i":9.223372036854775808e18}"#, "field 'i': 9.223372036854776e18 does not fit a long"),
        (r#"{"i":-1e300}"#, "field 'i': -1e300 does not fit a long"),
        (r#"{"i":"1"}"#, r#"field 'i': invalid type: string "1", expected a whole number"#),
        (r#"{"l":[{"x":1},{"x":true}]}"#, "field 'l[1].x': invalid type: boolean `true`, expected a whole number"),
        (r#"{"m":{"a.b":[0,{}]}}"#, "field 'm{a.b}[1]': invalid type: map, expected a number"),
        (r#"{"at":"2013-01-01"}"#, r#"field 'at': invalid value: string "2013-01-01", expected a date-time"#),
        (r#"{"d":"2013-02-29"}"#, r#"field 'd': invalid value: string "2013-02-29", expected a date"#),
        (r#"{"at":"0000-01-01T00:00:00Z"}"#, "field 'at': timestamp"),
        (r#"{"i":1,"i":2}"#, "field 'i': the object has this property twice"),
        (r#"{"m":{"k":[],"k":[]}}"#, "field 'm{k}': the object has this property twice"),
        (r#"{"i":1"#, "EOF while parsing"),
        (r#"{"i":1}}"#, "trailing characters"),
        ("[]", "invalid type: sequence, expected an object"),
        ("", "EOF while parsing"),
    ];
    let payloads: Vec<&[u8]> = rows.iter().map(|(payload, _)| payload.as_bytes()).collect();
    let (pushed, lines) = project(&schema(SchemaType::Json, SCHEMA), &payloads);
    for ((payload, start), pushed) in rows.iter().zip(pushed) {
        let Pushed::Dead(cause) = pushed else { panic!("{payload}: {pushed:?}") };
        assert!(cause.starts_with(start), "{payload}: {cause}");
    }
    assert_eq!(lines, Vec::<String>::new());
}

#[test]
fn whole_numbers_with_a_point_or_exponent_are_integers() {
    let payloads = [r#"{"i":1e17}"#, r#"{"i":-9.223372036854775808e18}"#, r#"{"i":9223372036854774784.0}"#];
    let (pushed, lines) = project(&schema(SchemaType::Json, SCHEMA), &payloads.map(str::as_bytes));
    assert_eq!(pushed, [Pushed::Row, Pushed::Row, Pushed::Row]);
    for (line, wanted) in lines.iter().zip(["100000000000000000", "-9223372036854775808", "9223372036854774784"]) {
        assert!(line.contains(&format!(r#""i":{wanted},"#)), "{line}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn random_values_come_back_equal(
        (shape, values) in Shape::any().prop_flat_map(|shape| {
            let values = proptest::collection::vec(shape.value(), 1..6);
            (Just(shape), values)
        })
    ) {
        let schema = schema(SchemaType::Json, &shape.schema().to_string());
        let payloads: Vec<String> = values.iter().map(|(sent, _)| sent.to_string()).collect();
        let payloads: Vec<&[u8]> = payloads.iter().map(String::as_bytes).collect();
        let (pushed, lines) = project(&schema, &payloads);
        prop_assert!(pushed.iter().all(|pushed| *pushed == Pushed::Row), "{pushed:?}");
        for ((_, wanted), line) in values.iter().zip(lines) {
            let row: serde_json::Value = serde_json::from_str(&line).unwrap();
            prop_assert_eq!(&row, wanted);
        }
    }
}
