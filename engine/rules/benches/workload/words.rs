//! What events are made of, and what rules ask for: with each word, where it matters, how often it comes.

use super::dice::Dice;

pub(crate) const TYPES: [(&str, u64); 12] = [
    ("appointment.created", 20),
    ("appointment.updated", 18),
    ("appointment.confirmed", 14),
    ("appointment.cancelled", 8),
    ("appointment.rescheduled", 6),
    ("appointment.no_show", 4),
    ("appointment.finished", 10),
    ("appointment.checked_in", 6),
    ("payment.received", 6),
    ("payment.refused", 2),
    ("invoice.issued", 3),
    ("patient.updated", 3),
];

pub(crate) const STATUS: [(&str, u64); 8] = [
    ("scheduled", 26),
    ("confirmed", 22),
    ("waiting", 8),
    ("in_progress", 8),
    ("finished", 16),
    ("cancelled", 10),
    ("no_show", 4),
    ("pending_payment", 6),
];

#[rustfmt::skip]
pub(crate) const FIRST: [&str; 40] = [
    "Ana", "Maria", "João", "José", "Antônio", "Francisca", "Carlos", "Paulo", "Pedro", "Lucas", "Luiz", "Marcos", "Luís", "Gabriel",
    "Rafael", "Júlia", "Fernanda", "Patrícia", "Aline", "Sandra", "Camila", "Amanda", "Bruna", "Jéssica", "Letícia", "Ângela", "Márcia",
    "Beatriz", "Débora", "Íris", "Otávio", "Zélia", "Raul", "Simone", "Tatiana", "Vinícius", "William", "Yara", "Caetano", "Hugo",
];

#[rustfmt::skip]
pub(crate) const LAST: [&str; 35] = [
    "Silva", "Santos", "Oliveira", "Souza", "Rodrigues", "Ferreira", "Alves", "Pereira", "Lima", "Gomes", "Costa", "Ribeiro", "Martins",
    "Carvalho", "Almeida", "Lopes", "Soares", "Fernandes", "Vieira", "Barbosa", "Rocha", "Dias", "Nascimento", "Andrade", "Moreira", "Nunes",
    "Marques", "Machado", "Mendes", "Freitas", "Cardoso", "Ramos", "Gonçalves", "Santana", "Teixeira",
];

#[rustfmt::skip]
pub(crate) const NOTES: [&str; 39] = [
    "paciente", "relata", "dor", "leve", "ao", "movimentar", "o", "braço", "direito", "retorno", "em", "quinze", "dias", "trazer", "exames",
    "anteriores", "confirmar", "jejum", "de", "oito", "horas", "contato", "preferencial", "por", "mensagem", "no", "período", "da", "tarde",
    "convênio", "autorizado", "guia", "enviada", "pela", "recepção", "observação", "interna", "sem", "restrições",
];

pub(crate) const TAGS: [&str; 12] = [
    "vip",
    "first_visit",
    "return",
    "telemedicine",
    "urgent",
    "pediatrics",
    "elderly",
    "pregnant",
    "corporate",
    "promo",
    "followup",
    "exam",
];

pub(crate) const CITIES: [&str; 8] =
    ["São Paulo", "Campinas", "Curitiba", "Belo Horizonte", "Recife", "Fortaleza", "Porto Alegre", "Goiânia"];
pub(crate) const INSURERS: [&str; 8] = ["unimed", "amil", "bradesco", "sulamerica", "notredame", "hapvida", "porto", "cassi"];
pub(crate) const CHANNELS: [&str; 5] = ["whatsapp", "web", "phone", "front_desk", "partner_api"];
pub(crate) const METHODS: [&str; 4] = ["pix", "card", "cash", "insurance"];
pub(crate) const PLANS: [&str; 3] = ["free", "pro", "enterprise"];
pub(crate) const KINDS: [&str; 3] = ["consultation", "exam", "procedure"];

const CLINICS: u64 = 2_000;
pub(crate) const TENANCIES: u64 = 40;
const SERVICES: u64 = 120;

/// A clinic: mildly skewed, all of them occur.
pub(crate) fn clinic(dice: &mut Dice) -> u64 {
    1 + ((CLINICS as f64 * dice.unit().powf(1.4)) as u64).min(CLINICS - 1)
}

pub(crate) fn tenancy(number: u64) -> String {
    format!("tn_{number:03}")
}

pub(crate) fn service_code(dice: &mut Dice) -> String {
    (10_101_000 + 7 * dice.between(0, SERVICES)).to_string()
}
