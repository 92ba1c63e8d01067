//! National numbers: valid ones made up by an independent program, and near misses: another check
//! digit, too long, too short, within a name.

/// Rule, texts that hold such a number, texts that nearly do.
pub(super) const CASES: &[(&str, &[&str], &[&str])] = &[
    (
        "pii.national.gb-nhs",
        &[
            "The NHS number on the letter is 641 526 7760.",
            "The NHS number on the letter is 0925523291.",
            "The NHS number on the letter is 010 476 5062.",
            "The NHS number on the letter is 8199521139.",
        ],
        &[
            "The NHS number on the letter is 9247701590.",
            "The NHS number on the letter is 924770159774.",
            "The NHS number on the letter is x_9247701597_q.",
            "The NHS number on the letter is 92477015.",
        ],
    ),
    (
        "pii.national.de-tax-id",
        &[
            "Meine Steuer-ID lautet 17 450 948 267",
            "Meine Steuer-ID lautet 18830649824",
            "Meine Steuer-ID lautet 45 634 198 206",
            "Meine Steuer-ID lautet 72932401523",
        ],
        &[
            "Meine Steuer-ID lautet 78352055194",
            "Meine Steuer-ID lautet 7835205519174",
            "Meine Steuer-ID lautet x_78352055191_q",
            "Meine Steuer-ID lautet 783520551",
        ],
    ),
    (
        "pii.national.fr-nir",
        &[
            "Numéro de sécu : 2 63 10 68 262 110 68",
            "Numéro de sécu : 261042129673285",
            "Numéro de sécu : 1 90 09 45 368 294 13",
            "Numéro de sécu : 284043403755852",
        ],
        &[
            "Numéro de sécu : 190065629072320",
            "Numéro de sécu : 19006562907232774",
            "Numéro de sécu : x_190065629072327_q",
            "Numéro de sécu : 1900656290723",
        ],
    ),
    (
        "pii.national.nl-bsn",
        &[
            "mijn BSN is 6226.23.771",
            "mijn BSN is 936416178",
            "mijn BSN is 8683.21.564",
            "mijn BSN is 407810985",
        ],
        &[
            "mijn BSN is 736172893",
            "mijn BSN is 73617289074",
            "mijn BSN is x_736172890_q",
            "mijn BSN is 7361728",
        ],
    ),
    (
        "pii.national.be-national-number",
        &[
            "Rijksregisternummer 88.08.01-183.42",
            "Rijksregisternummer 52011709113",
            "Rijksregisternummer 63.06.27-881.62",
            "Rijksregisternummer 74072212839",
        ],
        &[
            "Rijksregisternummer 85020157434",
            "Rijksregisternummer 8502015743174",
            "Rijksregisternummer x_85020157431_q",
            "Rijksregisternummer 850201574",
        ],
    ),
    (
        "pii.national.pl-pesel",
        &["PESEL: 50021210379", "PESEL: 83101837960", "PESEL: 67040556959", "PESEL: 79051613114"],
        &["PESEL: 73070693662", "PESEL: 7307069366974", "PESEL: x_73070693669_q", "PESEL: 730706936"],
    ),
    (
        "pii.national.pl-nip",
        &[
            "numer NIP 569-504-49-32",
            "numer NIP 5340546410",
            "numer NIP 535-059-36-12",
            "numer NIP 5670638026",
        ],
        &["numer NIP 5491256080", "numer NIP 549125608774", "numer NIP x_5491256087_q", "numer NIP 54912560"],
    ),
    (
        "pii.national.cz-birth-number",
        &[
            "rodné číslo 815101/2837",
            "rodné číslo 5853256893",
            "rodné číslo 940606/3975",
            "rodné číslo 5710062677",
        ],
        &[
            "rodné číslo 8408237512",
            "rodné číslo 840823751974",
            "rodné číslo x_8408237519_q",
            "rodné číslo 84082375",
        ],
    ),
    (
        "pii.national.se-personal-number",
        &[
            "personnummer 860703-2672",
            "personnummer 5201080776",
            "personnummer 970223-1748",
            "personnummer 9906081923",
        ],
        &[
            "personnummer 8006017020",
            "personnummer 800601702774",
            "personnummer x_8006017027_q",
            "personnummer 80060170",
        ],
    ),
    (
        "pii.national.no-birth-number",
        &[
            "fødselsnummer 040365 69218",
            "fødselsnummer 05049772248",
            "fødselsnummer 120287 82185",
            "fødselsnummer 03026144727",
        ],
        &[
            "fødselsnummer 01098139086",
            "fødselsnummer 0109813908374",
            "fødselsnummer x_01098139083_q",
            "fødselsnummer 010981390",
        ],
    ),
    (
        "pii.national.dk-cpr",
        &[
            "mit CPR er 231280-2509",
            "mit CPR er 0611745916",
            "mit CPR er 021099-4882",
            "mit CPR er 2012547429",
        ],
        &["mit CPR er 061179923174", "mit CPR er x_0611799231_q", "mit CPR er 06117992"],
    ),
    (
        "pii.national.pt-nif",
        &[
            "contribuinte 285 466 283",
            "contribuinte 259807826",
            "contribuinte 280 698 313",
            "contribuinte 231431279",
        ],
        &[
            "contribuinte 233883714",
            "contribuinte 23388371174",
            "contribuinte x_233883711_q",
            "contribuinte 2338837",
        ],
    ),
    (
        "pii.national.ro-cnp",
        &["CNP 2911003192504", "CNP 2630926312757", "CNP 2780412276836", "CNP 2620412090835"],
        &["CNP 1660206080312", "CNP 166020608031974", "CNP x_1660206080319_q", "CNP 16602060803"],
    ),
    (
        "pii.national.bg-egn",
        &["ЕГН 8706022347", "ЕГН 6008277271", "ЕГН 8012173012", "ЕГН 5605203655"],
        &["ЕГН 5012022754", "ЕГН 501202275174", "ЕГН x_5012022751_q", "ЕГН 50120227"],
    ),
    (
        "pii.national.tr-identity-number",
        &["TC kimlik 72483340102", "TC kimlik 23006369728", "TC kimlik 57217176578", "TC kimlik 58975933144"],
        &[
            "TC kimlik 46790076811",
            "TC kimlik 4679007681874",
            "TC kimlik x_46790076818_q",
            "TC kimlik 467900768",
        ],
    ),
    (
        "pii.national.gr-afm",
        &["ΑΦΜ 173752236", "ΑΦΜ 192940622", "ΑΦΜ 176253698", "ΑΦΜ 154401676"],
        &["ΑΦΜ 113348153", "ΑΦΜ 11334815074", "ΑΦΜ x_113348150_q", "ΑΦΜ 1133481"],
    ),
    (
        "pii.national.gr-amka",
        &[
            "ο ΑΜΚΑ μου 25056318741",
            "ο ΑΜΚΑ μου 10028970910",
            "ο ΑΜΚΑ μου 07115943602",
            "ο ΑΜΚΑ μου 12089371780",
        ],
        &[
            "ο ΑΜΚΑ μου 24087814102",
            "ο ΑΜΚΑ μου 2408781410974",
            "ο ΑΜΚΑ μου x_24087814109_q",
            "ο ΑΜΚΑ μου 240878141",
        ],
    ),
    (
        "pii.national.hr-oib",
        &["OIB: 61420209329", "OIB: 69337795190", "OIB: 37984832859", "OIB: 98006722704"],
        &["OIB: 39142423030", "OIB: 3914242303774", "OIB: x_39142423037_q", "OIB: 391424230"],
    ),
    (
        "pii.national.yu-jmbg",
        &["JMBG 2707988393944", "JMBG 2106993145173", "JMBG 2612991204728", "JMBG 1011997390143"],
        &["JMBG 1304965454263", "JMBG 130496545426074", "JMBG x_1304965454260_q", "JMBG 13049654542"],
    ),
    (
        "pii.national.ch-ahv",
        &[
            "AHV-Nummer 756.4114.9809.91",
            "AHV-Nummer 7567321613584",
            "AHV-Nummer 756.1455.8368.40",
            "AHV-Nummer 7565266342040",
        ],
        &[
            "AHV-Nummer 7561103818771",
            "AHV-Nummer 756110381877874",
            "AHV-Nummer x_7561103818778_q",
            "AHV-Nummer 75611038187",
        ],
    ),
    (
        "pii.national.at-social-security",
        &[
            "meine Sozialversicherung: 3022 080754",
            "meine Sozialversicherung: 2841010499",
            "meine Sozialversicherung: 9238 251169",
            "meine Sozialversicherung: 8592180776",
        ],
        &[
            "meine Sozialversicherung: 9378040964",
            "meine Sozialversicherung: 937804096174",
            "meine Sozialversicherung: x_9378040961_q",
            "meine Sozialversicherung: 93780409",
        ],
    ),
    (
        "pii.national.ee-lt-personal-code",
        &["isikukood 49001204855", "isikukood 35603012145", "isikukood 37008109548", "isikukood 48403148678"],
        &[
            "isikukood 46709108034",
            "isikukood 4670910803174",
            "isikukood x_46709108031_q",
            "isikukood 467091080",
        ],
    ),
    (
        "pii.national.lv-personal-code",
        &[
            "personas kods 180895-11582",
            "personas kods 08018217512",
            "personas kods 170282-11573",
            "personas kods 01125916907",
        ],
        &[
            "personas kods 21058315634",
            "personas kods 2105831563174",
            "personas kods x_21058315631_q",
            "personas kods 210583156",
        ],
    ),
    (
        "pii.national.hu-social-security",
        &["TAJ szám: 842-779-568", "TAJ szám: 277428006", "TAJ szám: 339-482-209", "TAJ szám: 501336749"],
        &["TAJ szám: 967457995", "TAJ szám: 96745799274", "TAJ szám: x_967457992_q", "TAJ szám: 9674579"],
    ),
    (
        "pii.national.ru-snils",
        &["СНИЛС 220-734-662 38", "СНИЛС 01315617101", "СНИЛС 295-259-918 33", "СНИЛС 85791701048"],
        &["СНИЛС 69904084345", "СНИЛС 6990408434274", "СНИЛС x_69904084342_q", "СНИЛС 699040843"],
    ),
    (
        "pii.national.ru-inn",
        &["мой ИНН 553033606912", "мой ИНН 210844236396", "мой ИНН 103988183198", "мой ИНН 350417116047"],
        &["мой ИНН 945832747036", "мой ИНН 94583274703374", "мой ИНН x_945832747033_q", "мой ИНН 9458327470"],
    ),
    (
        "pii.national.ua-tax-number",
        &["РНОКПП 2095912307", "РНОКПП 3742241659", "РНОКПП 8210626351", "РНОКПП 1539406970"],
        &["РНОКПП 8397731309", "РНОКПП 839773130674", "РНОКПП x_8397731306_q", "РНОКПП 83977313"],
    ),
    (
        "pii.national.us-ssn",
        &[
            "my social security number is 182-48-8152",
            "my social security number is 254784663",
            "my social security number is 220-70-8001",
            "my social security number is 178972996",
        ],
        &[
            "my social security number is 12420518974",
            "my social security number is x_124205189_q",
            "my social security number is 1242051",
        ],
    ),
    (
        "pii.national.us-itin",
        &[
            "my tax number, an ITIN, is 947-79-3951",
            "my tax number, an ITIN, is 970826335",
            "my tax number, an ITIN, is 924-83-3649",
            "my tax number, an ITIN, is 931709351",
        ],
        &[
            "my tax number, an ITIN, is 99174551674",
            "my tax number, an ITIN, is x_991745516_q",
            "my tax number, an ITIN, is 9917455",
        ],
    ),
    (
        "pii.national.ca-sin",
        &["My SIN is 201 518 057", "My SIN is 154126387", "My SIN is 631 400 652", "My SIN is 689401859"],
        &["My SIN is 419094563", "My SIN is 41909456074", "My SIN is x_419094560_q", "My SIN is 4190945"],
    ),
    (
        "pii.national.br-cpf",
        &[
            "meu CPF é 638.966.803-15",
            "meu CPF é 24873021006",
            "meu CPF é 709.689.430-63",
            "meu CPF é 69335842400",
        ],
        &[
            "meu CPF é 27568581619",
            "meu CPF é 2756858161674",
            "meu CPF é x_27568581616_q",
            "meu CPF é 275685816",
        ],
    ),
    (
        "pii.national.br-cnpj",
        &["CNPJ 86.490.584/0001-46", "CNPJ 17002115000118", "CNPJ 77.584.290/0001-92", "CNPJ 74539284000125"],
        &["CNPJ 69570100000153", "CNPJ 6957010000015074", "CNPJ x_69570100000150_q", "CNPJ 695701000001"],
    ),
    (
        "pii.national.ar-cuit",
        &[
            "mi CUIT es 20-21664757-3",
            "mi CUIT es 20717198183",
            "mi CUIT es 20-75858687-2",
            "mi CUIT es 20744957681",
        ],
        &[
            "mi CUIT es 20184186041",
            "mi CUIT es 2018418604874",
            "mi CUIT es x_20184186048_q",
            "mi CUIT es 201841860",
        ],
    ),
    (
        "pii.national.cl-rut",
        &["mi RUT es 12.607.797-1", "mi RUT es 208565567", "mi RUT es 10.536.085-1", "mi RUT es 246124051"],
        &["mi RUT es 107364831", "mi RUT es 10736483874", "mi RUT es x_107364838_q", "mi RUT es 1073648"],
    ),
    (
        "pii.national.ec-cedula",
        &["cédula 173899601-4", "cédula 0125687368", "cédula 211557604-9", "cédula 1354652305"],
        &["cédula 0954073287", "cédula 095407328474", "cédula x_0954073284_q", "cédula 09540732"],
    ),
    (
        "pii.national.au-tfn",
        &["my TFN is 297 382 126", "my TFN is 109762593", "my TFN is 342 240 702", "my TFN is 727367611"],
        &["my TFN is 116290138", "my TFN is 11629013574", "my TFN is x_116290135_q", "my TFN is 1162901"],
    ),
    (
        "pii.national.au-medicare",
        &[
            "Medicare card 3307 44931 1",
            "Medicare card 5441797701",
            "Medicare card 4556 29061 1",
            "Medicare card 5253917311",
        ],
        &["Medicare card 476157473174", "Medicare card x_4761574731_q", "Medicare card 47615747"],
    ),
    (
        "pii.national.nz-ird",
        &["IRD number 25-733-754", "IRD number 57365471", "IRD number 93-533-062", "IRD number 95200508"],
        &["IRD number 20949263", "IRD number 2094926074", "IRD number x_20949260_q", "IRD number 209492"],
    ),
    (
        "pii.national.in-aadhaar",
        &["Aadhaar 7406 0435 1425", "Aadhaar 971273628268", "Aadhaar 9426 7467 1823", "Aadhaar 791807389879"],
        &["Aadhaar 392025778062", "Aadhaar 39202577806974", "Aadhaar x_392025778069_q", "Aadhaar 3920257780"],
    ),
    (
        "pii.national.cn-resident-id",
        &[
            "身份证号码 120109195305120269",
            "身份证号码 120107197806035624",
            "身份证号码 130113199104243486",
            "身份证号码 130110199105177223",
        ],
        &[
            "身份证号码 130113197610268057",
            "身份证号码 13011319761026805474",
            "身份证号码 x_130113197610268054_q",
            "身份证号码 1301131976102680",
        ],
    ),
    (
        "pii.national.cn-resident-id",
        &[
            "我的身份证是 14010719520714070X",
            "我的身份证是 13011619920928577X",
            "我的身份证是 14012319730915284X",
            "我的身份证是 14010919520821382X",
        ],
        &[
            "我的身份证是 11010219750104813I",
            "我的身份证是 11010219750104813X74",
            "我的身份证是 x_11010219750104813X_q",
            "我的身份证是 1101021975010481",
        ],
    ),
    (
        "pii.national.jp-my-number",
        &[
            "マイナンバーは 8713 3832 6107 です",
            "マイナンバーは 624487930117 です",
            "マイナンバーは 3043 8680 0439 です",
            "マイナンバーは 607566150729 です",
        ],
        &[
            "マイナンバーは 645500612073 です",
            "マイナンバーは 64550061207074 です",
            "マイナンバーは x_645500612070_q です",
            "マイナンバーは 6455006120 です",
        ],
    ),
    (
        "pii.national.kr-rrn",
        &[
            "주민등록번호 920828-2704328",
            "주민등록번호 9510141309943",
            "주민등록번호 640306-2985771",
            "주민등록번호 6711022163686",
        ],
        &["주민등록번호 991026218894974", "주민등록번호 x_9910262188949_q", "주민등록번호 99102621889"],
    ),
    (
        "pii.national.th-citizen-id",
        &[
            "เลขประจำตัวประชาชน 5-1637-27137-17-7",
            "เลขประจำตัวประชาชน 5839818089760",
            "เลขประจำตัวประชาชน 1-9395-64768-73-0",
            "เลขประจำตัวประชาชน 5471442317202",
        ],
        &[
            "เลขประจำตัวประชาชน 6331436931796",
            "เลขประจำตัวประชาชน 633143693179374",
            "เลขประจำตัวประชาชน x_6331436931793_q",
            "เลขประจำตัวประชาชน 63314369317",
        ],
    ),
    (
        "pii.national.id-nik",
        &[
            "NIK saya 3571200807630061",
            "NIK saya 3372200611610014",
            "NIK saya 3277151901950082",
            "NIK saya 3177121910850061",
        ],
        &["NIK saya 337815210562000174", "NIK saya x_3378152105620001_q", "NIK saya 33781521056200"],
    ),
    (
        "pii.national.my-identity-card",
        &["MyKad 860110-12-6602", "MyKad 900710110661", "MyKad 520217-09-1630", "MyKad 960512072426"],
        &["MyKad 86060112810374", "MyKad x_860601128103_q", "MyKad 8606011281"],
    ),
    (
        "pii.national.za-identity-number",
        &[
            "RSA identity 681120 5178 084",
            "RSA identity 7505242374081",
            "RSA identity 670601 4413 088",
            "RSA identity 5205141618082",
        ],
        &[
            "RSA identity 7403124209083",
            "RSA identity 740312420908074",
            "RSA identity x_7403124209080_q",
            "RSA identity 74031242090",
        ],
    ),
    (
        "pii.national.il-identity-number",
        &["תעודת זהות 92826784-8", "תעודת זהות 335647137", "תעודת זהות 60578859-5", "תעודת זהות 863547675"],
        &["תעודת זהות 388354550", "תעודת זהות 38835455774", "תעודת זהות x_388354557_q", "תעודת זהות 3883545"],
    ),
    (
        "pii.national.ae-emirates-id",
        &[
            "Emirates card 784-1980-2864147-4",
            "Emirates card 784196990137430",
            "Emirates card 784-1991-8069226-3",
            "Emirates card 784199602986608",
        ],
        &[
            "Emirates card 784199759399616",
            "Emirates card 78419975939961374",
            "Emirates card x_784199759399613_q",
            "Emirates card 7841997593996",
        ],
    ),
    (
        "pii.national.pk-cnic",
        &["CNIC 53310-3422120-1", "CNIC 7029435417872", "CNIC 42978-8542925-4", "CNIC 5160594779279"],
        &["CNIC 469244572595474", "CNIC x_4692445725954_q", "CNIC 46924457259"],
    ),
    (
        "pii.national.eg-national-id",
        &[
            "my umid 25109121446568",
            "my umid 27202082661282",
            "my umid 29105102337626",
            "my umid 25406212584902",
        ],
        &["my umid 2720311094540574", "my umid x_27203110945405_q", "my umid 272031109454"],
    ),
    (
        "pii.national.kz-iin",
        &["ЖСН/ИИН: 970523395823", "ЖСН/ИИН: 700827334502", "ЖСН/ИИН: 760810368426", "ЖСН/ИИН: 831012311958"],
        &[
            "ЖСН/ИИН: 960113366524",
            "ЖСН/ИИН: 96011336652174",
            "ЖСН/ИИН: x_960113366521_q",
            "ЖСН/ИИН: 9601133665",
        ],
    ),
    (
        "pii.national.sa-identity-number",
        &["Iqama 1756357354", "Iqama 1328639552", "Iqama 1393031149", "Iqama 1472503240"],
        &["Iqama 1150318609", "Iqama 115031860674", "Iqama x_1150318606_q", "Iqama 11503186"],
    ),
    (
        "pii.national.es-dni",
        &["mi DNI es 20589378-P", "mi DNI es 54937004D", "mi DNI es 86042897-N", "mi DNI es 33861910E"],
        &["mi DNI es 87741798M", "mi DNI es 87741798H74", "mi DNI es x_87741798H_q", "mi DNI es 8774179"],
    ),
    (
        "pii.national.es-dni",
        &["mi NIE es Z6900215J", "mi NIE es X2163767L", "mi NIE es Z0802843X", "mi NIE es X7354758W"],
        &["mi NIE es X7179456J", "mi NIE es X7179456Y74", "mi NIE es x_X7179456Y_q", "mi NIE es X717945"],
    ),
    (
        "pii.national.it-codice-fiscale",
        &[
            "codice fiscale GBNFFC98A17H413Y",
            "codice fiscale LVFRNV90D08F197S",
            "codice fiscale BPNCGR93C28L175U",
            "codice fiscale GBPMFC73T10L689H",
        ],
        &[
            "codice fiscale NBPDGG85T18F349S",
            "codice fiscale NBPDGG85T18F349N74",
            "codice fiscale x_NBPDGG85T18F349N_q",
            "codice fiscale NBPDGG85T18F34",
        ],
    ),
    (
        "pii.national.mx-curp",
        &[
            "mi CURP es DDGM540627HDFPDG01",
            "mi CURP es RLSM620408MDFSRP07",
            "mi CURP es MBDM920105HDFRLL07",
            "mi CURP es CMPS730916HDFMRB07",
        ],
        &[
            "mi CURP es MSLM570919HDFCLD07",
            "mi CURP es MSLM570919HDFCLD0474",
            "mi CURP es x_MSLM570919HDFCLD04_q",
            "mi CURP es MSLM570919HDFCLD",
        ],
    ),
    (
        "pii.national.mx-rfc",
        &["RFC: PLDM560913K36", "RFC: DDML500824K95", "RFC: MCDM530912K31", "RFC: MDMG500520K64"],
        &["RFC: LRRG840504K1374", "RFC: x_LRRG840504K13_q", "RFC: LRRG840504K"],
    ),
    (
        "pii.national.in-pan",
        &["PAN: CLWPS8500C", "PAN: BGEPB0545H", "PAN: TLHPC3797A", "PAN: HTWPT5082G"],
        &["PAN: HWEPC4019F74", "PAN: x_HWEPC4019F_q", "PAN: HWEPC401"],
    ),
    (
        "pii.national.tw-identity-number",
        &["身分證字號 B288349664", "身分證字號 H164098637", "身分證字號 K136476838", "身分證字號 H163030284"],
        &[
            "身分證字號 E218158739",
            "身分證字號 E21815873674",
            "身分證字號 x_E218158736_q",
            "身分證字號 E2181587",
        ],
    ),
    (
        "pii.national.sg-nric",
        &["NRIC S7307758C", "NRIC S2886529E", "NRIC S9017497E", "NRIC S9440513J"],
        &["NRIC S2198006I", "NRIC S2198006D74", "NRIC x_S2198006D_q", "NRIC S219800"],
    ),
    (
        "pii.national.gb-nino",
        &["NI number CL 20 90 17 A", "NI number LM803514B", "NI number BA 67 11 80 D", "NI number HA589650B"],
        &["NI number JP873166B74", "NI number x_JP873166B_q", "NI number JP87316"],
    ),
    (
        "pii.national.ie-pps",
        &["PPSN 7168896C", "PPSN 0509371W", "PPSN 7000349F", "PPSN 7867179S"],
        &["PPSN 8221845L", "PPSN 8221845K74", "PPSN x_8221845K_q", "PPSN 822184"],
    ),
    (
        "pii.national.fr-nir",
        &["sécu 169052A28119920", "sécu 286082A32166145", "sécu 154042A27127392", "sécu 174022A22862518"],
        &["sécu 266112A37170814", "sécu 266112A3717081174", "sécu x_266112A37170811_q", "sécu 266112A371708"],
    ),
    (
        "pii.national.de-identity-card",
        &[
            "Personalausweis NXJG5J5H12",
            "Personalausweis T9NFLXLWW9",
            "Personalausweis P5GXF8CX36",
            "Personalausweis R5JHJ9HK52",
        ],
        &[
            "Personalausweis T9Z1Z48N54",
            "Personalausweis T9Z1Z48N5174",
            "Personalausweis x_T9Z1Z48N51_q",
            "Personalausweis T9Z1Z48N",
        ],
    ),
    (
        "pii.national.fi-personal-code",
        &["hetu 210199-145K", "hetu 110881-774D", "hetu 160273-390B", "hetu 221096-5282"],
        &["hetu 120897-1860", "hetu 120897-186774", "hetu x_120897-1867_q", "hetu 120897-18"],
    ),
    (
        "pii.national.hk-identity-card",
        &["HKID D605627(0)", "HKID Y069117(6)", "HKID V657605(2)", "HKID S901765(A)"],
        &["HKID K425802(4)", "HKID 9K425802(9)", "HKID x_K425802(9)_q", "HKID K425802"],
    ),
    (
        "pii.national.cl-rut",
        &["RUT 24563076K", "RUT 29356776K", "RUT 19013606K", "RUT 20709370K"],
        &["RUT 22553957L", "RUT 22553957K74", "RUT x_22553957K_q", "RUT 2255395"],
    ),
];
