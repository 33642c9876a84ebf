"""Abbreviations of German, French, Spanish, Italian and Portuguese: alone, before a number or a name, or after a number."""

import re
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache, partial

from loader.text.normalization.aligned import AlignedText
from loader.text.normalization.words import MONTHS

#: By language; spaces after full stops may be missing in the text, and a first small letter may be a capital.
_ALWAYS: Mapping[str, str] = {
    "de": "Jan.=Januar|Feb.=Februar|Aug.=August|Sept.=September|Okt.=Oktober|Nov.=November|Dez.=Dezember|z. B.=zum Beispiel|"
    "d. h.=das heißt|u. a.=unter anderem|u. U.=unter Umständen|i. d. R.=in der Regel|o. Ä.=oder Ähnliches|"
    "o. ä.=oder ähnlich|u. Ä.=und Ähnliches|v. a.=vor allem|z. T.=zum Teil|s. o.=siehe oben|s. u.=siehe unten|i. A.=im Auftrag|"
    "m. E.=meines Erachtens|u. v. m.=und vieles mehr|u. s. w.=und so weiter|e. V.=eingetragener Verein|v. Chr.=vor Christus|"
    "n. Chr.=nach Christus|z. Hd.=zu Händen|z. Zt.=zur Zeit|z. Z.=zur Zeit|i. V.=in Vertretung|o. g.=oben genannt|p. a.=pro Jahr|"
    "usw.=und so weiter|usf.=und so fort|etc.=et cetera|bzw.=beziehungsweise|ca.=circa|ggf.=gegebenenfalls|evtl.=eventuell|"
    "inkl.=inklusive|exkl.=exklusive|zzgl.=zuzüglich|max.=maximal|mind.=mindestens|min.=minimal|vgl.=vergleiche|bes.=besonders|"
    "bspw.=beispielsweise|sog.=sogenannte|ehem.=ehemals|gegr.=gegründet|geb.=geboren|gest.=gestorben|lt.=laut|allg.=allgemein|"
    "Inh.=Inhaber|Fa.=Firma|Dipl.-Ing.=Diplomingenieur|Ing.=Ingenieur|Hr.=Herr|Hrn.=Herrn|Dr.=Doktor|Prof.=Professor|"
    "Bhf.=Bahnhof|"
    "Hbf.=Hauptbahnhof|MwSt.=Mehrwertsteuer|Mwst.=Mehrwertsteuer|Anm.=Anmerkung|Bsp.=Beispiel|Jh.=Jahrhundert|Jhd.=Jahrhundert|"
    "Jhdt.=Jahrhundert|Mio.=Millionen|Mrd.=Milliarden|Tsd.=Tausend|Tel.=Telefon|Str.=Straße|Hrsg.=Herausgeber|"
    "Co.=Co|GmbH=G m b H|KG=K G|OHG=O H G|GbR=G b R|Abt.=Abteilung|Red.=Redaktion|tgl.=täglich|mtl.=monatlich|jährl.=jährlich|"
    "zw.=zwischen|ungef.=ungefähr|"
    "versch.=verschiedene|entspr.=entsprechend|einschl.=einschließlich|abzgl.=abzüglich|rd.=rund|bzgl.=bezüglich|"
    "insb.=insbesondere|ggü.=gegenüber",
    "fr": "c.-à-d.=c'est-à-dire|càd=c'est-à-dire|p. ex.=par exemple|etc.=et cetera|Mme=Madame|Mmes=Mesdames|Mlle=Mademoiselle|"
    "Mlles=Mesdemoiselles|MM.=Messieurs|Tél.=Téléphone|tél.=téléphone|av.=avenue|bd.=boulevard|bd=boulevard|boul.=boulevard|"
    "env.=environ|"
    "apr. J.-C.=après Jésus-Christ|av. J.-C.=avant Jésus-Christ|s.v.p.=s'il vous plaît|svp=s'il vous plaît|SVP=s'il vous plaît|"
    "Dr.=Docteur|Pr.=Professeur|max.=maximum|min.=minimum|cf.=confer|éd.=édition|hab.=habitants|N.B.=nota bene|"
    "P.-S.=post-scriptum|"
    "Cie=Compagnie|qqch.=quelque chose|qqn=quelqu'un|rdv=rendez-vous|RDV=rendez-vous|janv.=janvier|févr.=février|juil.=juillet|"
    "déc.=décembre|sept.=septembre",
    "es": "ene.=enero|feb.=febrero|abr.=abril|jun.=junio|jul.=julio|ago.=agosto|sept.=septiembre|oct.=octubre|nov.=noviembre|"
    "dic.=diciembre|p. ej.=por ejemplo|EE. UU.=Estados Unidos|EEUU=Estados Unidos|a. C.=antes de Cristo|d. C.=después de Cristo|"
    "a. de C.=antes de Cristo|d. de C.=después de Cristo|a. J. C.=antes de Jesucristo|Sr.=Señor|Sra.=Señora|Srta.=Señorita|"
    "Sres.=Señores|"
    "Sras.=Señoras|D.ª=Doña|Dña.=Doña|Dr.=Doctor|Dra.=Doctora|Ud.=usted|Uds.=ustedes|Vd.=usted|Vds.=ustedes|etc.=etcétera|"
    "Avda.=Avenida|Av.=Avenida|Tel.=Teléfono|tel.=teléfono|tfno.=teléfono|Tfno.=Teléfono|Prof.=Profesor|Profa.=Profesora|"
    "Ing.=Ingeniero|"
    "Lic.=Licenciado|Arq.=Arquitecto|Gral.=General|Pdte.=Presidente|Sto.=Santo|Sta.=Santa|izq.=izquierda|izda.=izquierda|"
    "dcha.=derecha|"
    "dpto.=departamento|Dpto.=Departamento|aprox.=aproximadamente|máx.=máximo|mín.=mínimo|apdo.=apartado|Apdo.=Apartado|"
    "Hnos.=Hermanos|"
    "Cía.=Compañía|ej.=ejemplo|admón.=administración|P. D.=posdata|S. A.=Sociedad Anónima|S. L.=Sociedad Limitada|"
    "S. M.=Su Majestad|col.=colonia|Pza.=Plaza|Pl.=Plaza|Ctra.=Carretera|c/=calle|C/=Calle|JJ. OO.=Juegos Olímpicos|RR. "
    "HH.=Recursos Humanos|FF. AA.=Fuerzas Armadas|"
    "cía.=compañía|prov.=provincia|hab.=habitantes",
    "it": "ecc.=eccetera|p. es.=per esempio|ad es.=ad esempio|es.=esempio|a. C.=avanti Cristo|d. C.=dopo Cristo|Sig.=Signor|"
    "sig.=signor|"
    "Sig.ra=Signora|sig.ra=signora|Sig.na=Signorina|Sigg.=Signori|Dott.=Dottor|dott.=dottor|Dott.ssa=Dottoressa|"
    "dott.ssa=dottoressa|"
    "Dr.=Dottor|Prof.=Professor|prof.=professor|Prof.ssa=Professoressa|prof.ssa=professoressa|Ing.=Ingegner|ing.=ingegner|"
    "Avv.=Avvocato|"
    "avv.=avvocato|Arch.=Architetto|Geom.=Geometra|Rag.=Ragionier|On.=Onorevole|Egr.=Egregio|Gent.ma=Gentilissima|"
    "Spett.le=Spettabile|"
    "cfr.=confronta|tel.=telefono|Tel.=Telefono|ca.=circa|c.a.=circa|max.=massimo|min.=minimo|sec.=secolo|S.p.A.=società per "
    "azioni|"
    "S.r.l.=società a responsabilità limitata|c.so=corso|C.so=Corso|p.zza=piazza|P.zza=Piazza|P.za=Piazza|V.le=Viale|v.le=viale|"
    "mld=miliardi|mln=milioni|Mld=miliardi|Mln=milioni|mld.=miliardi|mln.=milioni|gg.=giorni|art.=articolo|fig.=figura|"
    "vol.=volume|"
    "tab.=tabella|n.b.=nota bene|N.B.=nota bene|P.S.=post scriptum|pagg.=pagine|pag.=pagina|cap.=capitolo|all.=allegato|"
    "F.lli=Fratelli",
    "pt": "jan.=janeiro|fev.=fevereiro|abr.=abril|jun.=junho|jul.=julho|ago.=agosto|nov.=novembro|dez.=dezembro|p. ex.=por "
    "exemplo|etc.=et cetera|Sr.=Senhor|Sra.=Senhora|Srs.=Senhores|Sras.=Senhoras|Srta.=Senhorita|Dr.=Doutor|Dra.=Doutora|"
    "Drs.=Doutores|Prof.=Professor|Profa.=Professora|Prof.ª=Professora|Profª=Professora|Eng.=Engenheiro|Eng.º=Engenheiro|"
    "Arq.=Arquiteto|"
    "Exmo.=Excelentíssimo|Exma.=Excelentíssima|V. Exa.=Vossa Excelência|V. Ex.ª=Vossa Excelência|a. C.=antes de Cristo|"
    "d. C.=depois de Cristo|Av.=Avenida|Tel.=Telefone|tel.=telefone|telem.=telemóvel|Telef.=Telefone|aprox.=aproximadamente|"
    "máx.=máximo|"
    "mín.=mínimo|Ltda.=Limitada|Lda.=Limitada|Cia.=Companhia|séc.=século|sécs.=séculos|obs.=observação|Obs.=Observação|"
    "hab.=habitantes|"
    "S. A.=Sociedade Anónima|D.ª=Dona|Dª=Dona|Pça.=Praça|Lgo.=Largo|Trav.=Travessa|Rod.=Rodovia|apto.=apartamento|"
    "ap.=apartamento|depto.=departamento|Depto.=Departamento|pág.=página|págs.=páginas|art.=artigo|cap.=capítulo|vol.=volume|"
    "fig.=figura|"
    "esq.=esquerdo|dto.=direito|V. Sa.=Vossa Senhoria|Sto.=Santo|Sta.=Santa|Gov.=Governador|Pres.=Presidente|Cel.=Coronel|"
    "Gen.=General|"
    "cf.=confira",
}
_BEFORE_NUMBER: Mapping[str, str] = {
    "de": "Fig.=Figur|Bj.=Baujahr|s. S.=siehe Seite|S.=Seite|Nr.=Nummer|Nrn.=Nummern|Abb.=Abbildung|Abs.=Absatz|Art.=Artikel|"
    "Bd.=Band|Kap.=Kapitel|Aufl.=Auflage|"
    "Tab.=Tabelle|Ziff.=Ziffer|Bl.=Blatt|Z.=Zeile|Pl.=Platz|Kl.=Klasse|§§=Paragrafen|§=Paragraf|№=Nummer|H.=Heft",
    "fr": "p.=page|pp.=pages|art.=article|chap.=chapitre|fig.=figure|vol.=volume|t.=tome|n°=numéro|N°=Numéro|nº=numéro|"
    "no=numéro|n°s=numéros|"
    "nos=numéros|№=numéro|art=article|al.=alinéa|§=paragraphe",
    "es": "p.=página|pp.=páginas|pág.=página|págs.=páginas|art.=artículo|arts.=artículos|cap.=capítulo|núm.=número|n.º=número|"
    "nº=número|"
    "n°=número|N.º=Número|Nº=Número|N°=Número|núms.=números|fig.=figura|vol.=volumen|tel.=teléfono|№=número|n.=número|"
    "s.=siglo|ss.=siglos|"
    "§=párrafo|t.=tomo|km.=kilómetro",
    "it": "sez.=sezione|int.=interno|c.=comma|p.=pagina|pp.=pagine|n.=numero|n°=numero|nº=numero|N.=Numero|N°=Numero|"
    "nn.=numeri|№=numero|§=paragrafo|s.=secolo",
    "pt": "p.=página|pp.=páginas|n.º=número|nº=número|n°=número|n.=número|N.º=Número|Nº=Número|N°=Número|n.os=números|"
    "№=número|§=parágrafo|"
    "s.=século|arts.=artigos|t.=tomo",
}
_BEFORE_NAME: Mapping[str, str] = {
    "de": "St.=Sankt|Fr.=Frau|Frl.=Fräulein|s.=siehe",
    "fr": "M.=Monsieur|Dr=Docteur|Pr=Professeur|Mgr=Monseigneur|St=Saint|Ste=Sainte|Sts=Saints",
    "es": "D.=Don|Fdo.=Firmado",
    "it": "S.=San|SS.=Santi|Sta.=Santa|Sto.=Santo",
    "pt": "na R.=na Rua|da R.=da Rua|à R.=à Rua|D.=Dom|Pe.=Padre|Fr.=Frei",
}
_AFTER_NUMBER: Mapping[str, str] = {
    "de": "ff.=folgende|f.=folgende|Std.=Stunden|min.=Minuten|Min.=Minuten|Sek.=Sekunden|Stk.=Stück|Pers.=Personen|J.=Jahre|"
    "Wo.=Wochen|Mon.=Monate|Pkt.=Punkte|EL=Esslöffel|"
    "TL=Teelöffel|PS=P S|Pf.=Pfennig|Einw.=Einwohner|T€=tausend Euro|Tsd. €=tausend Euro",
    "fr": "Mds=milliards|Md=milliard|mn=minutes|mn.=minutes|min.=minutes|sec.=secondes|ch=chevaux|pers.=personnes|hab.=habitants",
    "es": "h.=horas|hs.=horas|hrs.=horas|min.=minutos|seg.=segundos|hab.=habitantes|uds.=unidades|CV=caballos|mill.=millones|"
    "ptas.=pesetas",
    "it": "sec.=secolo|min.=minuti|ab.=abitanti|CV=cavalli|pz.=pezzi",
    "pt": "min.=minutos|seg.=segundos|hab.=habitantes|hrs.=horas|cv=cavalos|CV=cavalos|mi=milhões|bi=bilhões",
}
_NUMBER_AHEAD = r"(?=\s?\d|\s[IVXLC]+\b)"
_NUMBER_BEHIND = r"(?:(?<=\d)|(?<=\d ))"


@cache
def _tables(language: str) -> Sequence[tuple[re.Pattern[str], Mapping[str, str]]]:
    return [
        _table(_BEFORE_NUMBER[language], r"(?<![\w.])", _NUMBER_AHEAD),
        _table(_BEFORE_NAME[language], r"(?<![\w.])", r"(?= ?[A-ZÀ-ÖØ-Þ])"),
        _table(_AFTER_NUMBER[language], _NUMBER_BEHIND, r"(?![\w/])"),
        _table(_ALWAYS[language], r"(?<![\w.])", r"(?!\w)"),
    ]


def _table(written: str, behind: str, ahead: str) -> tuple[re.Pattern[str], Mapping[str, str]]:
    said = dict(each.split("=") for each in written.split("|"))
    for abbreviation, words in list(said.items()):
        said.setdefault(abbreviation[0].upper() + abbreviation[1:], words[0].upper() + words[1:])
    longest_first = sorted(said, key=len, reverse=True)
    pattern = re.compile(rf"{behind}(?:{'|'.join(map(_spaced, longest_first))}){ahead}")
    return pattern, {each.replace(" ", ""): words for each, words in said.items()}


def _spaced(abbreviation: str) -> str:
    return re.sub(r"\\\.(?:\\ )?(?=\w)", r"\\.\\s?", re.escape(abbreviation))


def speak_abbreviations(text: AlignedText, language: str) -> AlignedText:
    """Return the text with the abbreviations of `de`, `fr`, `es`, `it` or `pt` in words."""
    for pattern, said in _tables(language):
        text = text.substituted(pattern, partial(_speak, said))
    return text


def _speak(said: Mapping[str, str], found: re.Match[str]) -> str | None:
    words = said[found[0].replace(" ", "")]
    is_last = found[0][-1] == "." and found.end() == len(found.string)
    if (is_last and _WORD.fullmatch(found[0]) and not _LAST.search(found[0]) and not _is_month(found, words)) or (
        _INITIAL.fullmatch(found[0]) and _is_inside_name(found)
    ):
        return None
    return f"{words}." if is_last else words + (" " if found.string[found.end() : found.end() + 1].isalnum() else "")


_WORD = re.compile(r"[^\W\d_]{2,}\.")
_INITIAL = re.compile(r"[A-Z]\.")
_CAPITALIZED = re.compile(r"\b([A-ZÀ-Þ][a-zà-ÿß]+) $")
#: Capitalized at the beginning of a sentence; before a title, and not the first part of a name.
_BEFORE_TITLES = frozenset(
    "según con para como cuando pero por de del a el la y señor señora senhor senhora segundo com quando mas e o avec pour "
    "quand mais selon à et "
    "le chez que puis chiesa piazza san santa via basilica di da in der die das mit für".split()
)
#: They often end sentences, so that a capital after them begins one.
_LAST = re.compile(
    r"(?<!\w)(?:Jhd?t?|esq|dto|izq|izda|dcha|evtl|ggf|inkl|Mio|Mrd|tgl|mtl|sec|ff?|pers|Pers|seg|uds|Wo|Pkt|"
    r"Stk|pz|ab|mn|Einw|ptas|mill|usw|usf|etc|ecc|s\. ?w|Jh|Chr|[ad]\. ?C|J\.-C|Std|Min|Sek|hab|h|min|seg|Co|UU|V|S\. ?A|S\. "
    r"?L|m|Uds?|Vds?)\.$"
)


def _is_month(found: re.Match[str], words: str) -> bool:
    return words.lower() in MONTHS and found.string[: found.start()].rstrip().removesuffix(" de")[-1:].isdigit()


def _is_inside_name(found: re.Match[str]) -> bool:
    before = _CAPITALIZED.search(found.string[: found.start()])
    return bool(before and before[1].lower() not in _BEFORE_TITLES)


@lru_cache(1024)
def goes_on(end: str, following: str, language: str) -> bool:
    """Whether the end of a sentence is an abbreviation, or the first part of one, and the sentence goes on with `following`."""
    if language not in _ALWAYS:
        return False
    around = f"{end} {following}"
    for pattern, _ in _tables(language):
        for match in pattern.finditer(around):
            if match.start() < len(end) < match.end():
                return True
            if match.end() == len(end):
                return not (following[:1].isupper() and _LAST.search(end))
    return False
