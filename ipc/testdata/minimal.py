"""An IXT process module without an SDK: it answers every message with the bytes it was sent."""
import json, os, socket, struct

sock = socket.socket(socket.AF_UNIX)
sock.connect(os.environ["IXT_IPC_SOCKET"])
stream = sock.makefile("rwb")

def serve(frame):
    if frame["type"] == "handle":
        return {"data": {"payload": frame["message"].get("payload", "")}}
    if frame["type"] in ("init", "health_check", "shutdown"):
        return {"data": {}}
    return {"status": "error", "error": {"code": "UNKNOWN_TYPE", "message": frame["type"]}}

while head := stream.read(4):
    frame = json.loads(stream.read(struct.unpack("<I", head)[0]))
    if frame.get("id") and frame["type"] != "cancel":
        answer = {"id": frame["id"], "type": "response", "status": "success", **serve(frame)}
        body = json.dumps(answer).encode()
        stream.write(struct.pack("<I", len(body)) + body)
        stream.flush()
    if frame["type"] == "shutdown":
        break
