//! The files that a configuration names, read as a node reads them when it starts.

use std::collections::HashSet;
use std::sync::Arc;

use crate::base::{UnixMillis, limits};
use crate::config::{Config, Fault, Faults, Source, Warning};
use crate::geo::{Zones, json};
use crate::server::{TlsError, TlsFault, examine};

/// Reads every file that the configuration names: warnings, or all faults. A node reads them one by
/// one, each when it needs it.
pub(super) fn check(config: &Config, now: UnixMillis) -> Result<Vec<Warning>, Faults> {
    let (mut faults, mut warnings) = (Vec::new(), Vec::new());
    let examined = config.server.tls.iter().flat_map(|files| examine(files, now));
    for wrong in examined {
        match wrong.fault {
            TlsFault::Early | TlsFault::NearEnd(_) => {
                let (key, message) = (wrong.option.to_owned(), wrong.fault.to_string());
                warnings.push(Warning { key, message });
            }
            _ => faults.push(tls_fault(wrong)),
        }
    }
    match zones(config) {
        Ok((_, more)) => warnings.extend(more),
        Err(more) => faults.extend(more.faults),
    }
    if faults.is_empty() { Ok(warnings) } else { Err(Faults { faults, more: 0 }) }
}

/// What keeps certificate and key from being used, as a fault of the option that names the file.
pub(super) fn tls_fault(TlsError { option, path, fault: why }: TlsError) -> Fault {
    fault(option, Some(format!("{path:?}")), why.to_string())
}

/// The zones of `geo.zone_files`. What namespaces hide by names that nothing has is a warning:
/// the server API may make the zone yet.
pub(super) fn zones(config: &Config) -> Result<(Zones, Vec<Warning>), Faults> {
    let mut zones = Zones::default();
    let mut names = HashSet::new();
    let mut faults = Vec::new();
    for file in &config.zone_files {
        if let Err(message) = add_zones(file, &mut zones, &mut names) {
            faults.push(fault(ZONE_FILES, Some(format!("{file:?}")), message));
        }
    }
    if zones.len() > limits::ZONES {
        faults.push(fault(
            ZONE_FILES,
            None,
            format!("{} zones; at most {}", zones.len(), limits::ZONES),
        ));
    }
    if !faults.is_empty() {
        return Err(Faults { faults, more: 0 });
    }
    let mut warnings = Vec::new();
    for namespace in config.namespaces.all() {
        let hidden = namespace.options.geo.iter().flat_map(|geo| &geo.hide);
        for name in hidden.filter(|name| zones.find(name).is_none()) {
            let message = format!("no zone {name:?}: it hides nothing until there is one");
            let key = match &*namespace.name {
                "" => "channel.without_namespace.geo.hide".to_owned(),
                name => format!("channel.namespaces.{name}.geo.hide"),
            };
            warnings.push(Warning { key, message });
        }
    }
    Ok((zones, warnings))
}

fn add_zones(file: &str, zones: &mut Zones, names: &mut HashSet<Arc<str>>) -> Result<(), String> {
    let text = std::fs::read(file).map_err(|error| error.to_string())?;
    for (name, area) in json::features(&text).map_err(|error| error.to_string())? {
        if !names.insert(name.clone()) {
            return Err(format!("more than one zone {name:?}"));
        }
        zones.set(name, Arc::new(area));
    }
    Ok(())
}

fn fault(key: &str, value: Option<String>, message: String) -> Fault {
    Fault { key: key.to_owned(), value, source: Source::File, message }
}

const ZONE_FILES: &str = "geo.zone_files";
