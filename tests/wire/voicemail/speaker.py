"""pjsua2 as a phone that speaks a WAV file, records what it hears and presses keys: `python -m ... SCRIPT.json`.

The script says where to call, what to speak and what to do: [["wait", s], ["speak"], ["keys", "1#"], ["end"]].
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import pjsua2 as pj

LOOP_MS = 10


class Call(pj.Call):  # type: ignore[misc]
    def __init__(self, account: Any) -> None:
        super().__init__(account)
        self.is_up = self.is_over = False
        self.last_status = 0
        self.referred_to = ""
        self.ears: Any = None

    def onCallState(self, prm: Any) -> None:  # noqa: N802
        info = self.getInfo()
        self.is_up = self.is_up or info.state == pj.PJSIP_INV_STATE_CONFIRMED
        self.is_over = info.state == pj.PJSIP_INV_STATE_DISCONNECTED
        self.last_status = info.lastStatusCode

    def onCallTransferRequest(self, prm: Any) -> None:  # noqa: N802
        """Noted and declined: where it leads is somebody else's."""
        self.referred_to = prm.dstUri
        prm.statusCode = 603

    def onCallMediaState(self, prm: Any) -> None:  # noqa: N802
        if self.ears is not None:
            self.getAudioMedia(-1).startTransmit(self.ears)


def main() -> None:
    script = json.loads(Path(sys.argv[1]).read_text())
    endpoint = pj.Endpoint()
    endpoint.libCreate()
    config = pj.EpConfig()
    config.uaConfig.threadCnt = 0
    config.uaConfig.mainThreadOnly = True
    config.medConfig.noVad = True
    config.logConfig.level = config.logConfig.consoleLevel = 3
    endpoint.libInit(config)
    endpoint.audDevManager().setNullDev()
    transport = pj.TransportConfig()
    transport.boundAddress, transport.port = "127.0.0.1", script["port"]
    endpoint.transportCreate(pj.PJSIP_TRANSPORT_UDP, transport)
    endpoint.libStart()
    for codec in endpoint.codecEnum2():
        endpoint.codecSetPriority(codec.codecId, 255 if codec.codecId.startswith(script["codec"]) else 0)
    settings = pj.AccountConfig()
    settings.idUri = script["caller"]
    settings.mediaConfig.transportConfig.boundAddress = "127.0.0.1"
    account = pj.Account()
    account.create(settings)
    call = Call(account)
    call.ears = pj.AudioMediaRecorder()
    call.ears.createRecorder(script["record"])
    call.makeCall(script["uri"], pj.CallOpParam(True))

    def run(until: Any, limit_s: float) -> None:
        deadline = time.monotonic() + limit_s
        while not until() and not call.is_over and time.monotonic() < deadline:
            endpoint.libHandleEvents(LOOP_MS)

    run(lambda: call.is_up, 10.0)
    for what, *value in script["steps"]:
        match what:
            case "wait":
                run(lambda: False, value[0])
            case "speak":
                mouth = pj.AudioMediaPlayer()
                mouth.createPlayer(value[0], pj.PJMEDIA_FILE_NO_LOOP)
                mouth.startTransmit(call.getAudioMedia(-1))
            case "keys":
                for key in value[0]:
                    call.dialDtmf(key)
                    run(lambda: False, 0.4)
            case "end":
                run(lambda: call.is_over, 10.0)
    became = {"was_up": call.is_up, "is_over": call.is_over, "status": call.last_status}
    print(json.dumps({**became, "referred_to": call.referred_to}))
    if not call.is_over:
        call.hangup(pj.CallOpParam())
        run(lambda: call.is_over, 2.0)
    sys.stdout.flush()
    endpoint.libDestroy()  # closes the file, with its length in its head
    os._exit(0)


if __name__ == "__main__":
    main()
