//! What are the compatibility level and the mode, of the registry and of its subjects?

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::error::{Refusal, Result};
use super::level::Level;
use super::mode::Mode;
use super::record::Change;
use super::route::{Call, answer};
use super::{Outcome, Response};
use crate::http::Method;

/// `/config`, `/config/{subject}`, `/mode` and `/mode/{subject}`.
pub(super) fn handle(call: &Call, method: Method, kind: &str, subject: Option<&str>) -> Result<Outcome> {
    let scope = subject.map(|subject| scope_of(call, subject)).transpose()?.flatten();
    let setting = if kind == "config" { Setting::Config } else { Setting::Mode };
    match method {
        Method::Get => setting.get(call, scope),
        Method::Put if setting == Setting::Config => put_config(call, scope),
        Method::Put => put_mode(call, scope),
        Method::Delete => setting.delete(call, scope),
        Method::Post | Method::Other => Err(Refusal::no_method()),
    }
}

/// `:.ctx:` without a name means the whole context, `:.:` and `:.__GLOBAL:` the whole registry.
fn scope_of(call: &Call, subject: &str) -> Result<Option<String>> {
    match subject {
        ":.:" | ":.__GLOBAL:" => Ok(None),
        subject if subject.starts_with(":.") && subject.ends_with(':') => Ok(Some(subject.to_owned())),
        subject => call.subject(subject).map(Some),
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Setting {
    Config,
    Mode,
}

impl Setting {
    fn stored<'a>(self, call: &'a Call) -> &'a BTreeMap<Option<String>, Value> {
        match self {
            Setting::Config => &call.state.configs,
            Setting::Mode => &call.state.modes,
        }
    }

    fn get(self, call: &Call, scope: Option<String>) -> Result<Outcome> {
        let stored = self.stored(call).get(&scope);
        let Some(subject) = scope.filter(|_| stored.is_none()) else {
            return answer(self.shown(stored));
        };
        if !call.query.flag("defaultToGlobal") {
            return Err(match self {
                Setting::Config => Refusal::no_config(&subject),
                Setting::Mode => Refusal::no_mode(&subject),
            });
        }
        answer(match self {
            Setting::Config => json!({"compatibilityLevel": call.state.level(&subject).to_string()}),
            Setting::Mode => json!({"mode": call.state.mode(&subject).to_string()}),
        })
    }

    /// The stored value without the name of its subject; the defaults when nothing is stored.
    fn shown(self, stored: Option<&Value>) -> Value {
        let mut shown = Map::new();
        let (key, default) = match self {
            Setting::Config => ("compatibilityLevel", Level::Backward.to_string()),
            Setting::Mode => ("mode", Mode::ReadWrite.to_string()),
        };
        let fields = stored.and_then(Value::as_object).into_iter().flatten();
        shown.extend(fields.filter(|(key, _)| *key != "subject").map(|(key, value)| (key.clone(), value.clone())));
        if stored.is_none() {
            shown.insert(key.into(), default.into());
        }
        Value::Object(shown)
    }

    fn delete(self, call: &Call, scope: Option<String>) -> Result<Outcome> {
        let stored = self.stored(call).get(&scope);
        if let (Some(subject), None) = (&scope, stored) {
            return Err(Refusal::no_subject(subject));
        }
        let then = Response::json(200, &self.shown(stored));
        let change = match self {
            Setting::Config => Change::Config { subject: scope, value: None },
            Setting::Mode => Change::Mode { subject: scope, value: None },
        };
        Ok(Outcome::write([change], then))
    }
}

fn put_config(call: &Call, scope: Option<String>) -> Result<Outcome> {
    let body = call.json_body()?;
    let Value::Object(mut body) = body else { return Err(Refusal::bad_body("it is no object")) };
    if let Some(subject) = scope.as_ref().filter(|subject| call.state.mode(subject).is_read_only()) {
        return Err(Refusal::read_only(subject));
    }
    let mut echo = body.clone();
    let level = body.remove("compatibility").or_else(|| body.remove("compatibilityLevel"));
    let mut config = match call.state.configs.get(&scope) {
        Some(Value::Object(config)) => config.clone(),
        _ => Map::new(),
    };
    if let Some(level) = level.filter(|level| !level.is_null()) {
        let level: Level = level.as_str().ok_or_else(Refusal::invalid_level)?.parse()?;
        config.insert("compatibilityLevel".into(), level.to_string().into());
        echo.remove("compatibilityLevel");
        echo.insert("compatibility".into(), level.to_string().into());
    } else if body.is_empty() {
        return Err(Refusal::invalid_level());
    }
    config.extend(body);
    config.remove("subject");
    if let Some(subject) = &scope {
        config.insert("subject".into(), subject.clone().into());
    }
    let then = Response::json(200, &Value::Object(echo));
    Ok(Outcome::write([Change::Config { subject: scope, value: Some(Value::Object(config)) }], then))
}

fn put_mode(call: &Call, scope: Option<String>) -> Result<Outcome> {
    let body = call.json_body()?;
    let mode: Mode = body.get("mode").and_then(Value::as_str).ok_or_else(Refusal::invalid_mode)?.parse()?;
    if mode == Mode::ReadOnlyOverride && scope.is_some() {
        return Err(Refusal::invalid_mode());
    }
    let subjects = || call.state.subjects.keys();
    let mut inside = subjects().filter(|name| {
        scope.as_ref().is_none_or(|scope| *name == scope || (scope.ends_with(':') && name.starts_with(scope.as_str())))
    });
    // Ids that the client gives would collide with those that are there.
    let is_new = call.state.mode(scope.as_deref().unwrap_or_default()) != Mode::Import;
    if let Some(found) = inside.find(|_| mode == Mode::Import && is_new && !call.query.flag("force")) {
        return Err(Refusal::not_empty(found));
    }
    let then = Response::json(200, &json!({"mode": mode.to_string()}));
    let mut value = json!({"mode": mode.to_string()});
    if let Some(subject) = &scope {
        value["subject"] = subject.clone().into();
    }
    Ok(Outcome::write([Change::Mode { subject: scope, value: Some(value) }], then))
}
