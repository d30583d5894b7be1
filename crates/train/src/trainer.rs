//! One training step: who sees what is `gioconda_networks`' business, who moves by how much is this file's.

use std::io;
use std::thread::ScopedJoinHandle;

use gioconda_model::WeightFile;
use gioconda_networks::burn;
use gioconda_networks::burn::module::Module;
use gioconda_networks::burn::optim::{GradientsParams, ModuleOptimizer};
use gioconda_networks::burn::tensor::Tensor;
use gioconda_networks::losses::LossWeights;
use gioconda_networks::{
    Critics, Device, Embedder, Episode, Generated, Generator, GradientMean, Networks, SpectralNorm,
    discriminator_losses, generate, generator_losses, load, moving_average,
};
use gioconda_warp::LANDMARK_PICTURE_VERSION;

use crate::Result;
use crate::batch::Batch;
use crate::config::TrainConfig;
use crate::losses::StepLosses;

/// Moving averages of E, G and P, on the plain device: what pictures and weight files show.
#[derive(Module, Debug)]
pub struct Average {
    /// E.
    pub embedder: Embedder,
    /// G and P.
    pub generator: Generator,
}

impl Average {
    /// What the averaged networks make of an episode, which must be on the plain device as well.
    pub fn generate(&self, episode: &Episode) -> Generated {
        generate(&self.embedder, &self.generator, episode)
    }
}

/// Everything that a training run changes.
#[derive(Debug)]
pub struct Trainer {
    pub(crate) networks: Networks,
    pub(crate) average: Average,
    pub(crate) optimizers: Optimizers,
    /// Steps done.
    pub(crate) step: u64,
    config: TrainConfig,
    /// With autodiff; the first one holds the networks.
    devices: Vec<Device>,
    /// The frozen networks on each device.
    critics: Vec<Critics>,
}

/// The optimisers of both sides.
#[derive(Clone)]
pub(crate) struct Optimizers {
    /// E, G and P.
    pub(crate) generator: ModuleOptimizer,
    /// D and W.
    pub(crate) discriminator: ModuleOptimizer,
}

impl std::fmt::Debug for Optimizers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Optimizers").finish_non_exhaustive()
    }
}

/// What one backward pass of the generator's side found.
struct GeneratorShare {
    embedder: GradientsParams,
    generator: GradientsParams,
    losses: StepLosses,
}

/// What one backward pass of the discriminator's side found.
struct DiscriminatorShare {
    discriminator: GradientsParams,
    videos: GradientsParams,
    loss: f64,
}

impl Trainer {
    /// Fresh networks with a row of W for each of `videos` videos, drawn from the configuration's seed.
    ///
    /// `critics` are the frozen networks of each of the `devices`, in their order.
    ///
    /// # Panics
    /// When `devices` is empty, or `critics` has another length.
    pub fn new(
        config: &TrainConfig,
        videos: usize,
        devices: &[Device],
        critics: Vec<Critics>,
    ) -> Result<Self> {
        assert_eq!(devices.len(), critics.len(), "every device has its critics");
        let devices: Vec<Device> = devices.iter().map(|device| device.clone().autodiff()).collect();
        let device = devices.first().expect("training needs a device");
        device.seed(config.seed);
        let networks = Networks::new(&config.networks, videos, device)?.train();
        let average = average_of(&networks);
        let optimizers = Optimizers {
            generator: config.generator_optimizer.optimizer(),
            discriminator: config.discriminator_optimizer.optimizer(),
        };
        Ok(Self { networks, average, optimizers, step: 0, config: config.clone(), devices, critics })
    }

    /// Takes E, G and P from a weight file, and D if it is there, in place of fresh ones. W stays fresh: its rows are of
    /// other videos. A generator for pictures as large as its map is [refined](Generator::refined) where the configuration
    /// shuffles pixels.
    ///
    /// # Errors
    /// When the file is of another preset, another landmark picture or networks of other sizes.
    pub fn adopt(&mut self, file: WeightFile) -> Result<()> {
        let file = file.require(self.config.preset, LANDMARK_PICTURE_VERSION)?;
        // Whether mouths are painted for it changes no size: the generator gets used to it.
        let mut sizes = self.config.networks.clone();
        sizes.generator.painted_mouth = file.header().config.generator.painted_mouth;
        if file.network("discriminator").is_none() {
            sizes.discriminator = file.header().config.discriminator.clone();
        }
        // A generator for smaller pictures is refined.
        let (stored, wanted) = (&file.header().config.generator, &mut sizes.generator);
        let finer = wanted.pixel_shuffle / stored.pixel_shuffle.max(1);
        let refined =
            stored.pixel_shuffle == 1 && finer > 1 && wanted.resolution == finer * stored.resolution;
        if refined {
            (wanted.resolution, wanted.pixel_shuffle) = (stored.resolution, stored.pixel_shuffle);
            // D has the same weights whatever the size of its pictures.
            sizes.discriminator.resolution = file.header().config.discriminator.resolution;
        }
        let coarse = sizes.generator.clone();
        let file = file.require_config(&sizes)?;
        let Networks { embedder, generator, discriminator, videos } = self.networks.clone();
        let discriminator = if file.network("discriminator").is_some() {
            load(&file, "discriminator", discriminator)?
        } else {
            discriminator
        };
        let embedder = load(&file, "embedder", embedder)?;
        let generator = if refined {
            let coarse = Generator::new(&coarse, &self.devices[0])?.train();
            load(&file, "generator", coarse)?.refined(finer)?
        } else {
            load(&file, "generator", generator)?
        };
        self.networks = Networks { embedder, generator, discriminator, videos };
        self.average = average_of(&self.networks);
        Ok(())
    }

    /// Steps done.
    pub fn steps_done(&self) -> u64 {
        self.step
    }

    /// The trained networks.
    pub fn networks(&self) -> &Networks {
        &self.networks
    }

    /// The moving averages.
    pub fn average(&self) -> &Average {
        &self.average
    }

    /// How many batches a step takes.
    pub fn batches_per_step(&self) -> usize {
        self.devices.len() * self.config.accumulate
    }

    /// One step of D and W, if they take part, and one of E, G and P.
    ///
    /// `batches`: [`batches_per_step`](Self::batches_per_step) of them; neighbours go to different devices.
    pub fn step(&mut self, batches: Vec<Batch>) -> StepLosses {
        let count = self.devices.len();
        let mut episodes: Vec<Vec<Episode>> = vec![Vec::new(); count];
        for (index, batch) in batches.into_iter().enumerate() {
            episodes[index % count].push(batch.into_episode(&self.devices[index % count]));
        }
        let factor = self.config.learning_rate_factor(self.step);
        let active = self.config.discriminator_active(self.step);
        self.networks = self.networks.clone().power_iteration();
        let mut discriminator = None;
        if active {
            for _ in 0..self.config.discriminator.steps {
                discriminator = Some(self.discriminator_step(&episodes, factor));
            }
        }
        let losses = self.generator_step(&episodes, factor, active);
        self.step += 1;
        self.follow();
        StepLosses { discriminator, ..losses }
    }

    fn discriminator_step(&mut self, episodes: &[Vec<Episode>], factor: f64) -> f64 {
        let mismatched = self.config.discriminator.mismatched;
        let shares = self.on_every_device(episodes, |networks, episode, _| {
            let loss = discriminator_losses(networks, episode, mismatched);
            let value = scalar(&loss);
            let mut gradients = loss.backward();
            DiscriminatorShare {
                discriminator: GradientsParams::from_module(&mut gradients, &networks.discriminator),
                videos: GradientsParams::from_module(&mut gradients, &networks.videos),
                loss: value,
            }
        });
        let networks = &self.networks;
        let count = shares.len() as f64;
        let (mut discriminator, mut videos, mut loss) =
            (GradientMean::default(), GradientMean::default(), 0.0);
        for share in shares {
            discriminator = discriminator.add(&networks.discriminator, share.discriminator);
            videos = videos.add(&networks.videos, share.videos);
            loss += share.loss / count;
        }
        let rate = self.config.discriminator_optimizer.learning_rate * factor;
        let optimizer = &mut self.optimizers.discriminator;
        let Networks { embedder, generator, discriminator: judge, videos: rows } = networks.clone();
        let judge = optimizer.step(rate, judge, discriminator.finish(&networks.discriminator));
        let rows = optimizer.step(rate, rows, videos.finish(&networks.videos));
        self.networks = Networks { embedder, generator, discriminator: judge, videos: rows };
        loss
    }

    fn generator_step(&mut self, episodes: &[Vec<Episode>], factor: f64, active: bool) -> StepLosses {
        let silent =
            LossWeights { adversarial: 0.0, feature_matching: 0.0, matching: 0.0, ..self.config.losses };
        let weights = if active { self.config.losses } else { silent };
        let shares = self.on_every_device(episodes, |networks, episode, critics| {
            let losses = generator_losses(networks, episode, &weights, critics);
            let values = StepLosses {
                total: scalar(&losses.total),
                pixel: scalar(&losses.pixel),
                psnr: scalar(&losses.psnr),
                content: scalar(&losses.content),
                adversarial: scalar(&losses.adversarial),
                feature_matching: scalar(&losses.feature_matching),
                matching: scalar(&losses.matching),
                landmarks: scalar(&losses.landmarks),
                openings: scalar(&losses.openings),
                identity: scalar(&losses.identity),
                discriminator: None,
            };
            let mut gradients = losses.total.backward();
            GeneratorShare {
                embedder: GradientsParams::from_module(&mut gradients, &networks.embedder),
                generator: GradientsParams::from_module(&mut gradients, &networks.generator),
                losses: values,
            }
        });
        let networks = &self.networks;
        let count = shares.len() as f64;
        let (mut embedder, mut generator) = (GradientMean::default(), GradientMean::default());
        let mut losses = StepLosses::default();
        for share in shares {
            embedder = embedder.add(&networks.embedder, share.embedder);
            generator = generator.add(&networks.generator, share.generator);
            losses = losses + share.losses * (1.0 / count);
        }
        let rate = self.config.generator_optimizer.learning_rate * factor;
        let optimizer = &mut self.optimizers.generator;
        let Networks { embedder: e, generator: g, discriminator, videos } = networks.clone();
        let e = optimizer.step(rate, e, embedder.finish(&networks.embedder));
        let g = optimizer.step(rate, g, generator.finish(&networks.generator));
        self.networks = Networks { embedder: e, generator: g, discriminator, videos };
        losses
    }

    /// Moves the averages. The decay is smaller at first, or a fresh network would stay in them for thousands of steps.
    fn follow(&mut self) {
        let steps = self.step as f64;
        let decay = self.config.ema.min((1.0 + steps) / (10.0 + steps));
        let Average { embedder, generator } = self.average.clone();
        self.average = Average {
            embedder: moving_average(embedder, &self.networks.embedder, decay),
            generator: moving_average(generator, &self.networks.generator, decay),
        };
    }

    /// Does `work` on each episode, on its device's replica of the networks; devices work at the same time. Results are
    /// in the order of devices, whichever is ready first, so that sums do not depend on it.
    fn on_every_device<T: Send>(
        &self,
        episodes: &[Vec<Episode>],
        work: impl Fn(&Networks, &Episode, &Critics) -> T + Sync,
    ) -> Vec<T> {
        let share = |networks: &Networks, index: usize| -> Vec<T> {
            episodes[index].iter().map(|episode| work(networks, episode, &self.critics[index])).collect()
        };
        if self.devices.len() == 1 {
            return share(&self.networks, 0);
        }
        std::thread::scope(|scope| {
            let replica = |index: usize| self.networks.clone().fork(&self.devices[index]);
            let start = |index: usize| {
                let (replica, share) = (replica(index), &share);
                std::thread::Builder::new()
                    .name(format!("device {index}"))
                    .spawn_scoped(scope, move || share(&replica, index))
            };
            let threads: Vec<_> = (0..self.devices.len()).map(start).collect();
            let finish = |(index, thread): (usize, io::Result<ScopedJoinHandle<'_, Vec<T>>>)| match thread {
                Ok(thread) => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
                // The system gives no more threads: this one does the device's work itself.
                Err(_) => share(&replica(index), index),
            };
            threads.into_iter().enumerate().flat_map(finish).collect()
        })
    }
}

/// The averages start as the networks themselves.
pub(crate) fn average_of(networks: &Networks) -> Average {
    Average { embedder: networks.embedder.valid(), generator: networks.generator.valid() }
}

fn scalar(loss: &Tensor<1>) -> f64 {
    f64::from(loss.clone().into_scalar::<f32>())
}
