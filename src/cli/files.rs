//! The files that a configuration names, read as a node reads them when it starts.

use std::collections::HashSet;
use std::sync::Arc;

use crate::base::limits;
use crate::config::{Config, Fault, Faults, Source, Warning};
use crate::geo::{Zones, json};

/// The zones of `geo.zone_files`. What namespaces hide by names that nothing has is a warning:
/// the server API may make the zone yet.
pub(super) fn zones(config: &Config) -> Result<(Zones, Vec<Warning>), Faults> {
    let mut zones = Zones::default();
    let mut names = HashSet::new();
    let mut faults = Vec::new();
    for file in &config.zone_files {
        if let Err(message) = add_zones(file, &mut zones, &mut names) {
            faults.push(fault(Some(format!("{file:?}")), message));
        }
    }
    if zones.len() > limits::ZONES {
        faults.push(fault(None, format!("{} zones; at most {}", zones.len(), limits::ZONES)));
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

fn fault(value: Option<String>, message: String) -> Fault {
    Fault { key: "geo.zone_files".to_owned(), value, source: Source::File, message }
}
