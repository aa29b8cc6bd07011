import Foundation
import UserNotifications

/// Tells the server that a push started the extension, and how far it came. Fire and forget.
struct NdsReceipt {
    private let url: URL
    private let attempt: Int
    private let arrivedAt = Date()

    /// nil if the push has no key `nds`: its app has receipts off, or it had no room.
    init?(_ userInfo: [AnyHashable: Any]) {
        guard let nds = userInfo["nds"] as? [String: Any],
              let address = nds["r"] as? String,
              let url = URL(string: address) else { return nil }
        self.url = url
        self.attempt = nds["n"] as? Int ?? 1
    }

    /// True for the second push of a payment that this phone knows. Call it once per push.
    func isRepeat(in defaults: UserDefaults) -> Bool {
        var seen = defaults.stringArray(forKey: "nds_seen") ?? []
        if seen.contains(url.absoluteString) { return true }
        seen.append(url.absoluteString)
        defaults.set(Array(seen.suffix(50)), forKey: "nds_seen")
        return false
    }

    func send(_ stage: String, why: String? = nil, shown: Bool? = nil) {
        var body: [String: Any] = ["stage": stage, "n": attempt]
        body["t"] = Int(Date().timeIntervalSince(arrivedAt) * 1000)
        body["why"] = why
        body["shown"] = shown
        var request = URLRequest(url: url, timeoutInterval: 1)
        request.httpMethod = "POST"
        request.setValue("application/json", forHTTPHeaderField: "Content-Type")
        request.httpBody = try? JSONSerialization.data(withJSONObject: body)
        URLSession.shared.dataTask(with: request).resume()
    }
}

class NotificationService: UNNotificationServiceExtension {
    override func didReceive(_ request: UNNotificationRequest,
                             withContentHandler show: @escaping (UNNotificationContent) -> Void) {
        let receipt = NdsReceipt(request.content.userInfo)
        receipt?.send("started")
        let shared = UserDefaults(suiteName: "group.com.example.wallet") ?? .standard
        if receipt?.isRepeat(in: shared) == true {
            let again = UNMutableNotificationContent()
            again.title = shared.string(forKey: "nds_last_title") ?? request.content.title
            if #available(iOSApplicationExtension 15.0, *) { again.interruptionLevel = .passive }
            return show(again)
        }
        // Here the wallet connects and takes the payment: receipt?.send("connected"), and in the end
        // receipt?.send("done", shown: true), or receipt?.send("failed", why: "no_network").
        shared.set(request.content.title, forKey: "nds_last_title")
        show(request.content)
    }
}
