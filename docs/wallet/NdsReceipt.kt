package com.example.wallet

import android.content.Context
import com.google.firebase.messaging.RemoteMessage
import java.net.HttpURLConnection
import java.net.URL
import kotlin.concurrent.thread
import org.json.JSONObject

/** Tells the server that a push started the app, and how far it came. Fire and forget. */
class NdsReceipt private constructor(
    private val url: String,
    private val attempt: Int,
    private val priorities: Pair<String, String>,
) {
    private val arrivedAt = System.currentTimeMillis()

    /** True for the second push of a payment that this phone knows. Call it once per push. */
    fun isRepeat(context: Context): Boolean {
        val preferences = context.getSharedPreferences("nds", Context.MODE_PRIVATE)
        val seen = preferences.getString("seen", "").orEmpty().split(' ').filter { it.isNotEmpty() }
        if (url in seen) return true
        preferences.edit().putString("seen", (seen + url).takeLast(50).joinToString(" ")).apply()
        return false
    }

    fun send(stage: String, why: String? = null, shown: Boolean? = null) {
        val body = JSONObject().put("stage", stage).put("n", attempt)
            .put("t", System.currentTimeMillis() - arrivedAt)
            .put("priority", priorities.first).put("original", priorities.second)
            .putOpt("why", why).putOpt("shown", shown)
        thread {
            runCatching {
                val connection = URL(url).openConnection() as HttpURLConnection
                connection.connectTimeout = 1_000
                connection.readTimeout = 1_000
                connection.requestMethod = "POST"
                connection.doOutput = true
                connection.setRequestProperty("Content-Type", "application/json")
                connection.outputStream.use { it.write(body.toString().toByteArray()) }
                connection.responseCode
            }
        }
    }

    companion object {
        /** null if the push has no key `nds`: its app has receipts off, or it had no room. */
        fun of(message: RemoteMessage): NdsReceipt? = runCatching {
            val nds = JSONObject(message.data["nds"] ?: return null)
            val priorities = nameOf(message.priority) to nameOf(message.originalPriority)
            NdsReceipt(nds.getString("r"), nds.optInt("n", 1), priorities)
        }.getOrNull()

        private fun nameOf(priority: Int) =
            if (priority == RemoteMessage.PRIORITY_HIGH) "high" else "normal"
    }
}
