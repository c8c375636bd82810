//! Which part of the registry answers which path?

use serde_json::{Value, json};

use super::error::{Refusal, Result};
use super::state::State;
use super::subject::{DEFAULT_CONTEXT, qualified};
use super::{Admission, Outcome, compatibility, delete, lookup, register, settings};
use crate::http::{Method, Query, Request, Response, segments};
use crate::schema::SchemaType;

/// A request on its way to the function that answers it.
pub(super) struct Call<'a> {
    pub state: &'a State,
    pub query: Query,
    pub body: &'a [u8],
    /// From a path `/contexts/{context}/…`.
    pub context: Option<String>,
    pub admission: &'a dyn Admission,
}

impl Call<'_> {
    /// The full name of a subject of the path.
    pub(super) fn subject(&self, name: &str) -> Result<String> {
        qualified(self.context.as_deref(), name)
    }

    /// The context whose ids a request by id means: that of `?subject=`, of the path, or the default one.
    pub(super) fn id_context(&self) -> String {
        let subject = self.query.get("subject").and_then(|name| qualified(self.context.as_deref(), name).ok());
        match subject {
            Some(subject) => super::subject::context_of(&subject).to_owned(),
            None => self.context.clone().unwrap_or_else(|| DEFAULT_CONTEXT.to_owned()),
        }
    }

    pub(super) fn json_body(&self) -> Result<Value> {
        serde_json::from_slice(self.body).map_err(|error| Refusal::bad_body(&error.to_string()))
    }
}

pub(super) fn answer(body: Value) -> Result<Outcome> {
    Ok(Outcome::Answer(Response::json(200, &body)))
}

pub(super) fn dispatch(state: &State, request: &Request, admission: &dyn Admission) -> Result<Outcome> {
    let path = segments(&request.path);
    let mut path: Vec<&str> = path.iter().map(String::as_str).collect();
    let mut call = Call { state, query: Query::parse(&request.query), body: &request.body, context: None, admission };
    if let ["contexts", context, _, ..] = path[..] {
        call.context = Some(if context.starts_with('.') { context.to_owned() } else { format!(".{context}") });
        path.drain(..2);
    }
    match path[0] {
        "subjects" => subjects(&call, request.method, &path[1..]),
        "schemas" => schemas(&call, request.method, &path[1..]),
        "compatibility" => match (request.method, &path[1..]) {
            (Method::Post, ["subjects", subject, "versions"]) => compatibility::against_all(&call, subject),
            (Method::Post, ["subjects", subject, "versions", version]) => {
                compatibility::against_one(&call, subject, version)
            }
            (_, ["subjects", _, "versions"] | ["subjects", _, "versions", _]) => Err(Refusal::no_method()),
            _ => Err(Refusal::no_route()),
        },
        kind @ ("config" | "mode") => match path[1..] {
            [] => settings::handle(&call, request.method, kind, None),
            [subject] => settings::handle(&call, request.method, kind, Some(subject)),
            _ => Err(Refusal::no_route()),
        },
        "contexts" => contexts(&call, request.method, &path[1..]),
        "" if path.len() == 1 => match request.method {
            Method::Get | Method::Post => answer(json!({})),
            _ => Err(Refusal::no_method()),
        },
        "v1" if request.method == Method::Get => metadata(&path[1..]),
        _ => Err(Refusal::no_route()),
    }
}

fn subjects(call: &Call, method: Method, path: &[&str]) -> Result<Outcome> {
    match (method, path) {
        (Method::Get, []) => lookup::subjects(call),
        (Method::Post, [subject]) => lookup::by_text(call, subject),
        (Method::Delete, [subject]) => delete::subject(call, subject),
        (Method::Get, [subject, "versions"]) => lookup::versions(call, subject),
        (Method::Post, [subject, "versions"]) => register::register(call, subject),
        (Method::Get, [subject, "metadata"]) => lookup::latest_with_metadata(call, subject),
        (Method::Get, [subject, "versions", version]) => lookup::version(call, subject, version),
        (Method::Delete, [subject, "versions", version]) => delete::version(call, subject, version),
        (Method::Get, [subject, "versions", version, "schema"]) => lookup::version_text(call, subject, version),
        (Method::Get, [subject, "versions", version, "referencedby"]) => lookup::referenced_by(call, subject, version),
        (_, [] | [_] | [_, "versions"] | [_, "versions", _] | [_, "versions", _, "schema" | "referencedby"]) => {
            Err(Refusal::no_method())
        }
        _ => Err(Refusal::no_route()),
    }
}

fn schemas(call: &Call, method: Method, path: &[&str]) -> Result<Outcome> {
    if method != Method::Get {
        return Err(if path.len() <= 3 { Refusal::no_method() } else { Refusal::no_route() });
    }
    match path {
        [] => lookup::schemas(call),
        ["types"] => answer(SchemaType::ALL.iter().map(|kind| kind.name()).collect()),
        ["ids", id] => lookup::by_id(call, id),
        ["ids", id, "schema"] => lookup::id_text(call, id),
        ["ids", id, "subjects"] => lookup::id_subjects(call, id),
        ["ids", id, "versions"] => lookup::id_versions(call, id),
        ["guids", guid] => lookup::by_guid(call, guid),
        ["guids", guid, "ids"] => lookup::guid_ids(call, guid),
        _ => Err(Refusal::no_route()),
    }
}

fn contexts(call: &Call, method: Method, path: &[&str]) -> Result<Outcome> {
    match (method, path) {
        (Method::Get, []) => answer(json!(call.query.page(call.state.contexts()))),
        (Method::Delete, [context]) => {
            let context = if context.starts_with('.') { (*context).to_owned() } else { format!(".{context}") };
            if call.state.contexts().contains(&context) {
                return Err(Refusal::context_not_empty(&context));
            }
            Ok(Outcome::Answer(Response { status: 204, body: Vec::new(), content_type: crate::http::JSON }))
        }
        (_, [] | [_]) => Err(Refusal::no_method()),
        _ => Err(Refusal::no_route()),
    }
}

fn metadata(path: &[&str]) -> Result<Outcome> {
    match path {
        ["metadata", "id"] => answer(json!({
            "id": "",
            "scope": {"path": [], "clusters": {"kafka-cluster": "frazil", "schema-registry-cluster": "schema-registry"}}
        })),
        ["metadata", "version"] => answer(json!({"version": env!("CARGO_PKG_VERSION"), "commitId": ""})),
        _ => Err(Refusal::no_route()),
    }
}
