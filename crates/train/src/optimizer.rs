//! Adam as configured.

use gioconda_networks::burn::optim::{AdamConfig, ModuleOptimizer};

use crate::config::AdamSettings;

impl AdamSettings {
    /// A fresh optimiser with these settings. One serves several modules: its state goes by parameter.
    pub fn optimizer(&self) -> ModuleOptimizer {
        AdamConfig::new().with_beta_1(self.beta_1).with_beta_2(self.beta_2).with_epsilon(self.epsilon).init()
    }
}
