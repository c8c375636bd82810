//! `frazil schema`: which schemas are registered, and may this one be?

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::reach::{Reach, ask, segment};
use crate::output::{Format, Rows, text};

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    reach: Reach,
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// All subjects with their latest version
    List,
    /// One schema's text: of a subject's version, or of an id
    Get {
        /// A subject, or a schema id
        subject: String,
        /// A version, or `latest`
        #[arg(long, default_value = "latest")]
        version: String,
    },
    /// Register a schema
    Register(Candidate),
    /// Ask whether a schema would be compatible with a subject's latest version
    Check(Candidate),
}

#[derive(clap::Args)]
struct Candidate {
    subject: String,
    /// The schema's file; `-` for the standard input
    file: PathBuf,
    /// Its kind; by default told from the file's ending (.avsc, .proto, .json)
    #[arg(long = "type", value_enum)]
    kind: Option<Kind>,
    /// A schema it refers to: NAME=SUBJECT:VERSION
    #[arg(long = "reference", value_name = "NAME=SUBJECT:VERSION")]
    references: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    Avro,
    Protobuf,
    Json,
}

pub fn run(args: Args) -> Result<()> {
    let base = format!("http://{}", args.reach.registry_addr);
    let get = |path: &str| ask("GET", &format!("{base}{path}"), "application/json", None)?.json();
    match args.what {
        What::List => list(args.reach.format, get),
        What::Get { subject, version } => {
            let schema = match subject.parse::<u32>() {
                Ok(id) => get(&format!("/schemas/ids/{id}"))?,
                Err(_) => get(&format!("/subjects/{}/versions/{}", segment(&subject), segment(&version)))?,
            };
            match args.reach.format {
                Format::Json => println!("{schema}"),
                Format::Table => println!("{}", text(&schema["schema"])),
            }
            Ok(())
        }
        What::Register(candidate) => {
            let url = format!("{base}/subjects/{}/versions", segment(&candidate.subject));
            let answer = ask("POST", &url, "application/json", Some(&candidate.body()?))?.json()?;
            let mut rows = Rows::new(&["subject", "id"]);
            rows.push(vec![json!(candidate.subject), answer["id"].clone()]);
            rows.print(args.reach.format);
            Ok(())
        }
        What::Check(candidate) => {
            let subject = segment(&candidate.subject);
            let url = format!("{base}/compatibility/subjects/{subject}/versions/latest?verbose=true");
            let answer = ask("POST", &url, "application/json", Some(&candidate.body()?))?.json()?;
            let compatible = answer["is_compatible"] == json!(true);
            let mut rows = Rows::new(&["subject", "compatible", "reasons"]);
            let reasons = answer["messages"].as_array().cloned().unwrap_or_default();
            let reasons = reasons.iter().map(text).collect::<Vec<_>>().join("; ");
            rows.push(vec![json!(candidate.subject), json!(compatible), json!(reasons)]);
            rows.print(args.reach.format);
            if compatible { Ok(()) } else { bail!("the schema is not compatible") }
        }
    }
}

fn list(format: Format, get: impl Fn(&str) -> Result<Value>) -> Result<()> {
    let subjects = get("/subjects")?;
    let mut rows = Rows::new(&["subject", "version", "id", "type"]);
    for subject in subjects.as_array().context("the registry gave no list of subjects")? {
        let subject = subject.as_str().context("a subject is a text")?;
        let latest = get(&format!("/subjects/{}/versions/latest", segment(subject)))?;
        let kind = latest.get("schemaType").cloned().unwrap_or_else(|| json!("AVRO"));
        rows.push(vec![json!(subject), latest["version"].clone(), latest["id"].clone(), kind]);
    }
    rows.print(format);
    Ok(())
}

impl Candidate {
    fn body(&self) -> Result<String> {
        let references = self.references.iter().map(|text| reference(text)).collect::<Result<Vec<Value>>>()?;
        let kind = match self.kind.or_else(|| kind_of(&self.file)) {
            Some(Kind::Avro) => "AVRO",
            Some(Kind::Protobuf) => "PROTOBUF",
            Some(Kind::Json) => "JSON",
            None => bail!("the kind of {} cannot be told from its name; say --type", self.file.display()),
        };
        let schema = read(&self.file)?;
        Ok(json!({ "schema": schema, "schemaType": kind, "references": references }).to_string())
    }
}

fn kind_of(file: &Path) -> Option<Kind> {
    match file.extension()?.to_str()? {
        "avsc" => Some(Kind::Avro),
        "proto" => Some(Kind::Protobuf),
        "json" => Some(Kind::Json),
        _ => None,
    }
}

fn read(file: &Path) -> Result<String> {
    if file.as_os_str() == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("the standard input")?;
        return Ok(text);
    }
    std::fs::read_to_string(file).with_context(|| format!("the schema file {}", file.display()))
}

fn reference(text: &str) -> Result<Value> {
    let parsed = text.split_once('=').and_then(|(name, place)| {
        let (subject, version) = place.rsplit_once(':')?;
        Some(json!({ "name": name, "subject": subject, "version": version.parse::<i32>().ok()? }))
    });
    parsed.with_context(|| format!("--reference {text}: NAME=SUBJECT:VERSION is wanted"))
}
