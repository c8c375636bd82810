//! Does the code keep the rules that `docs/ARCHITECTURE.md` states?

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> Result<String> {
    fs::read_to_string(root().join(path)).with_context(|| path.to_owned())
}

/// The workspace's members with the names of all their ordinary dependencies.
fn members() -> Result<BTreeMap<String, BTreeSet<String>>> {
    let workspace: toml::Table = read("Cargo.toml")?.parse()?;
    let paths = workspace["workspace"]["members"].as_array().context("members are a list")?;
    let mut members = BTreeMap::new();
    for path in paths {
        let path = path.as_str().context("a member is a path")?;
        let manifest: toml::Table = read(&format!("{path}/Cargo.toml"))?.parse()?;
        let name = manifest["package"]["name"].as_str().context("a package has a name")?.to_owned();
        let used = manifest.get("dependencies").and_then(|table| table.as_table());
        members.insert(name, used.map(|table| table.keys().cloned().collect()).unwrap_or_default());
    }
    Ok(members)
}

#[test]
fn imports_go_downwards_only() -> Result<()> {
    let allowed: &[(&str, &[&str])] = &[
        ("model", &[]),
        ("wire", &["model"]),
        ("runtime", &["model"]),
        ("corelog", &["model", "wire", "runtime"]),
        ("schema-registry", &["model"]),
        ("replication", &["model", "wire", "runtime", "corelog"]),
        ("server", &["model", "wire", "runtime", "corelog", "replication", "schema-registry"]),
        ("client", &["model", "wire"]),
        ("objects", &["model"]),
        ("tiered", &["model", "wire", "objects"]),
        ("iceberg-sink", &["model", "wire", "schema-registry", "objects"]),
        ("query", &["model", "objects", "iceberg-sink"]),
        ("bare", &["model", "runtime", "server"]),
        ("load", &["model", "wire"]),
    ];
    let members = members()?;
    let names: BTreeSet<&String> = members.keys().collect();
    for (name, allowed) in allowed {
        let used = members.get(*name).with_context(|| format!("{name} is a member"))?;
        for used in used.iter().filter(|used| names.contains(used)) {
            ensure!(allowed.contains(&used.as_str()), "{name} must not see {used}");
        }
    }
    Ok(())
}

#[test]
fn walls_hold() -> Result<()> {
    let members = members()?;
    let heavy = ["arrow", "parquet", "iceberg", "datafusion", "object_store"];
    for name in ["model", "wire", "runtime", "corelog", "replication", "schema-registry", "server", "client"] {
        for wall in heavy {
            ensure!(!members[name].contains(wall), "{name} must not see {wall}");
        }
    }
    for name in ["model", "wire", "corelog", "replication", "schema-registry", "server"] {
        for runtime in ["glommio", "tokio", "axum"] {
            ensure!(!members[name].contains(runtime), "{name} must not see {runtime}");
        }
    }
    Ok(())
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name == "target" || name.starts_with('.') {
            continue;
        }
        if path.is_dir() {
            sources(&path, found)?;
        } else if name.ends_with(".rs") {
            found.push(path);
        }
    }
    Ok(())
}

#[test]
fn every_file_opens_with_its_question() -> Result<()> {
    let mut found = Vec::new();
    sources(&root(), &mut found)?;
    ensure!(found.len() > 100, "the sources were found");
    for path in found {
        let text = fs::read_to_string(&path)?;
        ensure!(text.starts_with("//!"), "{} does not open with //!", path.display());
    }
    Ok(())
}

/// The source files named in a path's document, in backquotes.
fn path_files(document: &str) -> Result<BTreeSet<String>> {
    let text = read(document)?;
    let quoted = text.split('`').skip(1).step_by(2);
    Ok(quoted.filter(|word| word.ends_with(".rs")).map(str::to_owned).collect())
}

#[test]
fn the_paths_are_as_documented() -> Result<()> {
    for (document, most) in [("docs/paths/produce.md", 9), ("docs/paths/project-and-commit.md", 16)] {
        let files = path_files(document)?;
        ensure!((3..=most).contains(&files.len()), "{document} names {} files, at most {most}", files.len());
        for file in files {
            ensure!(root().join(&file).is_file(), "{document} names {file}, which does not exist");
        }
    }
    Ok(())
}
