//! What may be asked, and how is the rest refused?

use async_trait::async_trait;

use super::*;
use crate::{Format, render};

#[derive(Debug)]
struct NoTables;

#[async_trait]
impl Tables for NoTables {
    async fn names(&self) -> model::Result<Vec<String>> {
        Ok(vec!["known".into()])
    }

    async fn load(&self, _: &str) -> model::Result<Option<iceberg::table::Table>> {
        Ok(None)
    }
}

fn ask(statement: &str, format: Format) -> Result<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let sql = Sql::new(Arc::new(NoTables), Objects::memory(), 2)?;
    let (schema, batches) = runtime.block_on(sql.run(statement))?;
    Ok(String::from_utf8(render(&schema, &batches, format).unwrap()).unwrap())
}

#[test]
fn answers_in_three_forms() {
    let statement = "select 1 as a, null as b, [1, null] as c, struct(1 as x) as d";
    assert_eq!(ask(statement, Format::Json).unwrap(), r#"[{"a":1,"b":null,"c":[1,null],"d":{"x":1}}]"#);
    assert_eq!(ask(statement, Format::Csv).unwrap(), "a,b,c,d\n1,,\"[1,null]\",\"{\"\"x\"\":1}\"\n");
    assert_eq!(ask("select 1 as a where false", Format::Json).unwrap(), "[]");
    assert_eq!(ask("select 1 as a where false", Format::Csv).unwrap(), "a\n");
}

#[test]
fn nothing_can_be_changed() {
    for statement in ["create table t as select 1", "drop table known", "insert into known values (1)", "set a = 1"] {
        assert_eq!(ask(statement, Format::Json).unwrap_err().kind, model::Kind::Invalid, "{statement}");
    }
}

#[test]
fn tables_are_listed_as_they_are_now() {
    let names = ask("select count(*) as n from information_schema.views", Format::Json).unwrap();
    assert_eq!(names, r#"[{"n":0}]"#);
}

#[test]
fn errors_name_what_is_wrong() {
    assert!(ask("select * from nowhere", Format::Json).unwrap_err().message.contains("nowhere"));
    assert!(ask("selct 1", Format::Json).unwrap_err().message.contains("selct"));
}
